"""The ticks of a cron expression found the slow and obvious way: by looking at every minute on the clock in turn."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
Moment = tuple[datetime, datetime]  # an instant, and what the clock on the wall shows then


class Fields:
    """Five fields, each `*` or a list of numbers: the text, and what it matches."""

    def __init__(self, fields: Sequence[Sequence[int] | None]) -> None:
        self.fields = fields
        self.text = " ".join("*" if values is None else ",".join(map(str, values)) for values in fields)

    def match(self, local: datetime) -> bool:
        minute, hour, day, month, weekday = self.fields
        if minute is not None and local.minute not in minute:
            return False
        if hour is not None and local.hour not in hour:
            return False
        if month is not None and local.month not in month:
            return False
        days = [] if day is None else [local.day in day]
        days += [] if weekday is None else [local.isoweekday() % 7 in weekday]
        return any(days) or not days


def wall(zone: str, start: datetime, end: datetime, step: timedelta = MINUTE) -> list[Moment]:
    """What the clock shows from one instant to another."""
    tz, moments, instant = ZoneInfo(zone), [], start
    while instant < end:
        moments.append((instant, instant.astimezone(tz).replace(tzinfo=None, fold=0)))
        instant += step
    return moments


def ticks(fields: Fields, moments: Sequence[Moment], step: timedelta = MINUTE) -> list[datetime]:
    """The ticks among these moments, but for the first of them."""
    if fields.fields[1] is None:
        return [instant for instant, local in moments[1:] if fields.match(local)]
    found, shown = [], moments[0][1]
    for instant, local in moments[1:]:
        skipped = shown + step
        matches = False
        while skipped <= local:  # what the clock has shown for the first time now, or jumped over
            matches = matches or fields.match(skipped)
            skipped += step
        if matches:
            found.append(instant)
        shown = max(shown, local)
    return found


def changes(zone: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """The hours in which the zone changes its offset."""
    tz, instant = ZoneInfo(zone), start
    while instant < end:
        if instant.astimezone(tz).utcoffset() != (instant + timedelta(hours=1)).astimezone(tz).utcoffset():
            yield instant
        instant += timedelta(hours=1)


def random_fields(chance: Random, minutes: Sequence[int] = range(60)) -> Fields:
    """Mostly times of the night, when clocks change."""
    hours = chance.choice([range(4), range(4), range(24)])
    minute = sorted(chance.sample(minutes, chance.choice([1, 1, 2, 4])))
    hour = None if chance.random() < 0.4 else sorted(chance.sample(hours, chance.choice([1, 1, 2, 4])))
    day = sorted(chance.sample(range(1, 32), 9)) if chance.random() < 0.15 else None
    weekday = sorted(chance.sample(range(7), 3)) if chance.random() < 0.15 else None
    return Fields((minute, hour, day, None, weekday))


def first_of(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)
