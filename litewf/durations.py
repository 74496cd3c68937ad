"""Durations, points in time and counts as users give them, checked; times are turned into microseconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from litewf.world import EPOCH

Duration = float | timedelta
LARGEST = (1 << 31) - 1
LONGEST_S = 100 * 366 * 86400
LATEST_US = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


def positive(value: object, what: str) -> int:
    """A whole number from 1 to 2,147,483,647."""
    if isinstance(value, float) and not value.is_integer():  # NaN too
        raise ValueError(f"{what} must be a whole number, 1 or more, not {value!r}")
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} must be a whole number, 1 or more, not {value!r}")
    if not 1 <= value <= LARGEST:
        raise ValueError(f"{what} must be between 1 and {LARGEST:,}, not {value}")
    return value


def duration_us(value: Duration, what: str) -> int:
    """Seconds or a timedelta as microseconds: finite, not negative, at most a hundred years."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{what} is seconds as a number or a timedelta, not {type(value).__name__}")
    else:
        seconds = float(value) if abs(value) <= LONGEST_S else math.inf
    if not 0 <= seconds <= LONGEST_S:
        raise ValueError(f"{what} must be between 0 seconds and 100 years, not {value!r}")
    return round(seconds * 1_000_000)


def optional_duration_us(value: Duration | None, what: str) -> int | None:
    return None if value is None else duration_us(value, what)


def moment_us(value: datetime, what: str) -> int:
    """A point in time as microseconds since 1970; it must know its time zone."""
    if not isinstance(value, datetime):
        raise TypeError(f"{what} is a datetime, not {type(value).__name__}")
    if value.tzinfo is None or value.utcoffset() is None:
        raise ValueError(f"{what} must be an aware datetime: give {value!r} a tzinfo, such as datetime.UTC")
    us = (value - EPOCH) // timedelta(microseconds=1)  # astimezone() may leave the range of datetime
    if not 0 <= us <= LATEST_US:
        raise ValueError(f"{what} must lie between 1970 and 9999, not {value!r}")
    return us
