"""Which ticks of a schedule run now, and which comes next: its policy for missed ones. Pure.

A tick is missed if a later one is due too, or if it is more than 60 s late. `skip` runs none of those, `once` the
latest of all that are due, `all` every one; the last two look no further back than `catch_up`.
"""

from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

from litewf.cron import latest, next_after, ticks
from litewf.store.schedules import ScheduleRow
from litewf.world import EPOCH, moment

LATE_US = 60_000_000
JUST_BEFORE = timedelta(microseconds=1)


class Due(NamedTuple):
    """What there is to do for a schedule now."""

    ticks: list[int]  # the intended times of those to run, the oldest first
    next_us: int | None


def due_ticks(row: ScheduleRow, now_us: int, most: int) -> Due:
    """The ticks to run of a schedule that is due, at most so many; more are due at once if there are more."""
    assert row.next_us is not None
    oldest_us = _oldest_us(row, now_us)
    if row.on_missed != "all":
        found = _latest_us(row, oldest_us, now_us)
        return Due([] if found is None else [found], next_us(row.cron, row.timezone, now_us))
    found_us = [row.next_us] if row.next_us >= oldest_us else []
    after = moment(max(row.next_us, oldest_us - 1))
    found_us += (_us(tick) for tick in islice(ticks(row.cron, row.timezone, after, moment(now_us)), most + 1))
    if len(found_us) > most:
        return Due(found_us[:most], found_us[most])
    return Due(found_us, next_us(row.cron, row.timezone, now_us))


def _oldest_us(row: ScheduleRow, now_us: int) -> int:
    """The intended time before which a tick is not run any more."""
    if row.on_missed == "skip":
        return now_us - LATE_US
    return 0 if row.catch_up_us is None else now_us - max(row.catch_up_us, LATE_US)


def _latest_us(row: ScheduleRow, oldest_us: int, now_us: int) -> int | None:
    """The tick that was announced counts even if the rules of its time zone have changed since."""
    assert row.next_us is not None
    found = latest(row.cron, row.timezone, moment(max(row.next_us, oldest_us - 1)), moment(now_us))
    if found is not None:
        return _us(found)
    return row.next_us if row.next_us >= oldest_us else None


def next_us(cron: str, timezone: str, now_us: int) -> int | None:
    """The intended time of the first tick after now."""
    found = next_after(cron, timezone, moment(now_us))
    return None if found is None else _us(found)


def between(row: ScheduleRow, start_us: int, end_us: int, most: int) -> list[int]:
    """The ticks from one time on and before another, at most so many."""
    found = ticks(row.cron, row.timezone, moment(start_us) - JUST_BEFORE, moment(end_us) - JUST_BEFORE)
    return [_us(tick) for tick in islice(found, most)]


def _us(tick: datetime) -> int:
    return (tick - EPOCH) // JUST_BEFORE
