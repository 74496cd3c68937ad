"""Durations and points in time as users give them, checked and turned into microseconds."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from litewf.world import EPOCH

Duration = float | timedelta
LONGEST_S = 100 * 366 * 86400
LATEST_US = (datetime(9999, 12, 31, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


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
