"""Cron expressions and time zones: when a schedule ticks next. Pure: the instant is given, nothing is asked for.

The rule where a zone changes its offset: if the hour field has a `*`, every instant whose local time matches is a tick,
so a repeated hour ticks again and a skipped one not at all. Otherwise each matching local time ticks once: one that is
skipped at the instant the gap ends, one that is repeated the first time only. Local times that one gap skips together
are one tick.

croniter searches the calendar; what it is given is checked and spelled out here, since it takes a good deal that other
crons read differently.
"""

import re
from collections.abc import Callable, Iterator
from copy import copy
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, Protocol

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)
LONGEST = 1000  # characters of an expression
ITEM = re.compile(r"(\*|[0-9]{1,2}|[a-z]{3})(?:-([0-9]{1,2}|[a-z]{3}))?(?:/([0-9]{1,3}))?", re.ASCII | re.IGNORECASE)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
OTHER_RULES = ("right/", "posix/")  # zones of the same names that count leap seconds, or that a machine may lack
MACHINE_ZONES = ("localtime", "posixrules")


class Field(NamedTuple):
    """One field of an expression."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()  # that may stand for numbers, from `low` on


FIELDS = (
    Field("second", 0, 59),
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("weekday", 0, 7, WEEKDAYS),
)
DAY_FIELD, WEEKDAY_FIELD, HOUR_FIELD = 3, 5, 2
FULL = (60, 60, 24, 31, 12, 7)  # how many values there are


class Searcher(Protocol):
    """What is used of a croniter, which comes without types."""

    def get_next(self, ret_type: type[datetime], /, *, start_time: datetime) -> datetime:
        """The first matching time after this one."""


class Cron(NamedTuple):
    """An expression that is known to be good."""

    searcher: Searcher
    every_hour: bool  # the hour field has a `*`

    def next_local(self, after: datetime) -> datetime | None:
        """The first matching local time after this one; None if there is none in fifty years or the calendar ends."""
        try:
            return copy(self.searcher).get_next(datetime, start_time=after)  # a search changes its searcher
        except (ValueError, OverflowError):
            return None


# --- reading expressions and zones --------------------------------------------------------------------------------


def parse(text: object) -> Cron:
    """Check an expression of five fields, or of six with the seconds first; ValueError says what is wrong."""
    if not isinstance(text, str):
        raise TypeError(f"a cron expression is text, not {type(text).__name__}")
    if len(text) > LONGEST:
        raise ValueError(f"a cron expression has at most {LONGEST} characters, not {len(text)}")
    return _parse(text)


@lru_cache(maxsize=512)
def _parse(text: str) -> Cron:
    from croniter import croniter  # type: ignore[import-untyped]  # noqa: PLC0415 - `import litewf` needs nothing of it

    parts = text.split()
    if not text.isprintable() or len(parts) not in (5, 6):
        raise ValueError(
            f"cron {text!r:.80}: five fields are wanted (minute hour day month weekday), or six with the seconds first"
        )
    if len(parts) == 5:
        parts.insert(0, "0")
    sets = [_values(text, field, part) for field, part in zip(FIELDS, parts, strict=True)]
    _refuse_ambiguous_days(text, parts, sets)
    spelled = [
        "*" if len(values) == full else ",".join(map(str, sorted(values)))
        for values, full in zip(sets, FULL, strict=True)
    ]
    searcher = croniter(" ".join(spelled), datetime(2000, 1, 1), ret_type=datetime, second_at_beginning=True)  # noqa: DTZ001 - local time
    cron = Cron(searcher, "*" in parts[HOUR_FIELD])
    if cron.next_local(datetime(2000, 1, 1)) is None:  # noqa: DTZ001 - local time
        raise ValueError(f"cron {text!r}: no such day ever comes")
    return cron


def _values(text: str, field: Field, part: str) -> set[int]:
    values: set[int] = set()
    for item in part.split(","):
        values.update(_item_values(f"cron {text!r:.80}: {field.name} {item!r:.40}", field, item))
    return {value % 7 for value in values} if field.name == "weekday" else values


def _item_values(label: str, field: Field, item: str) -> range:
    found = ITEM.fullmatch(item)
    if found is None:
        raise ValueError(f"{label} is not *, a number, a range or a list of these (L, W, # and ? are not supported)")
    first, last, step = found.groups()
    high = field.high - (field.name == "weekday")
    if first == "*":
        if last is not None:
            raise ValueError(f"{label} is no range")
        start, stop = field.low, high
    else:
        start = _number(label, field, first)
        stop = start if last is None else _number(label, field, last)
        if last is not None and stop == 0 and last.lower() == "sun":
            stop = 7
        if last is None and step is not None:
            raise ValueError(f"{label} means different things to different crons; write {first}-{high}/{step}")
    if stop < start:
        raise ValueError(f"{label} runs backwards; write two ranges, {first}-{high},{field.low}-{last}")
    if step is not None and not 1 <= int(step) <= high - field.low:
        raise ValueError(f"{label} has a step that is not between 1 and {high - field.low}")
    return range(start, stop + 1, int(step or 1))


def _number(label: str, field: Field, word: str) -> int:
    if word.isdecimal():
        number = int(word)
    elif word.lower() in field.names:
        number = field.names.index(word.lower()) + field.low
    else:
        raise ValueError(f"{label} is no name of a {field.name}")
    if not field.low <= number <= field.high:
        raise ValueError(f"{label} is not between {field.low} and {field.high}")
    return number


def _refuse_ambiguous_days(text: str, parts: list[str], sets: list[set[int]]) -> None:
    """Either the day or the weekday is enough if both are limited; crons disagree when one is limited with a `*`."""
    if parts[DAY_FIELD] == "*" or parts[WEEKDAY_FIELD] == "*":
        return
    for at in (DAY_FIELD, WEEKDAY_FIELD):
        if "*" in parts[at] or len(sets[at]) == FULL[at]:
            raise ValueError(
                f"cron {text!r:.80}: {FIELDS[at].name} {parts[at]!r} beside the other day field means different things"
                " to different crons; list the days, or let one of the two be *"
            )


def zone_named(name: object) -> tzinfo:
    """A time zone of the tz database; ValueError if there is none of this name."""
    if not isinstance(name, str):
        raise TypeError(f"a time zone is given by its name, not as {type(name).__name__}")
    return UTC if name == "UTC" else _zone(name)


@lru_cache(maxsize=512)
def _zone(name: str) -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - `import litewf` needs nothing of it

    problem = f"there is no time zone {name!r:.80} in the tz database; one is called 'Europe/Berlin'"
    if name.startswith(OTHER_RULES) or name in MACHINE_ZONES:
        raise ValueError(problem)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(problem) from None


# --- finding ticks ------------------------------------------------------------------------------------------------


def next_after(cron: str, zone: str, instant: datetime) -> datetime | None:
    """The first tick after an instant, in UTC; None if there is none before the calendar ends."""
    parsed, tz = parse(cron), zone_named(zone)
    find = _matching_instant if parsed.every_hour else _matching_time_once
    try:
        return find(parsed.next_local, tz, instant.astimezone(UTC).replace(microsecond=0))
    except OverflowError:
        return None


def ticks(cron: str, zone: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """The ticks after one instant and up to another."""
    found = next_after(cron, zone, after)
    while found is not None and found <= until:
        yield found
        found = next_after(cron, zone, found)


def latest(cron: str, zone: str, after: datetime, until: datetime) -> datetime | None:
    """The last tick after one instant and up to another: found by halving, however many ticks there are between."""
    found = next_after(cron, zone, after)
    if found is None or found > until:
        return None
    beyond = until
    while beyond - found > SECOND:
        middle = found + (beyond - found) / 2
        further = next_after(cron, zone, middle)
        if further is None or further > until:
            beyond = middle
        else:
            found = further
    return found if (last := next_after(cron, zone, found)) is None or last > until else last


Search = Callable[[datetime], datetime | None]


def _matching_instant(search: Search, tz: tzinfo, after: datetime) -> datetime | None:
    """Search in the local time of one offset; where the offset changes, begin anew with that instant."""
    offset, last = _offset(tz, after), after
    while (local := search((last + offset).replace(tzinfo=None))) is not None:
        candidate = local.replace(tzinfo=UTC) - offset
        change = _first_change(tz, after, candidate)
        if change is None:
            return candidate
        after, offset = change, _offset(tz, change)
        last = change - SECOND  # which may itself be a tick
    return None


def _matching_time_once(search: Search, tz: tzinfo, after: datetime) -> datetime | None:
    """Search in local time, then see when that is for the first time, or would be."""
    here = after.astimezone(tz)
    found: datetime | None = here.replace(tzinfo=None, fold=0)
    assert found is not None
    if here.fold:  # all of this has been before
        before = _offset_of(here.replace(fold=0))
        repeated = before - _offset_of(here)
        found = (_change_within(tz, after - repeated, after) + before).replace(tzinfo=None) - SECOND
    while (found := search(found)) is not None:
        instant = _first_instant(tz, found)
        if instant > after:
            return instant
    return None


def _first_instant(tz: tzinfo, local: datetime) -> datetime:
    """When a local time comes first; one that is skipped: when the gap ends."""
    aware = local.replace(tzinfo=tz)
    instant = aware.astimezone(UTC)
    if instant.astimezone(tz).replace(tzinfo=None) == local:
        return instant
    skipped = _offset_of(aware.replace(fold=1)) - _offset_of(aware)
    return _change_within(tz, instant - skipped, instant)


def _first_change(tz: tzinfo, after: datetime, until: datetime) -> datetime | None:
    """The first instant in between with another offset; no zone has two changes within a day."""
    points = [after]
    while points[-1] < until:
        points.append(min(points[-1] + DAY, until))
    offset = _offset(tz, after)
    for earlier, later in pairwise(points):
        if _offset(tz, later) != offset:
            return _change_within(tz, earlier, later)
    return None


def _change_within(tz: tzinfo, before: datetime, changed: datetime) -> datetime:
    """The first second with another offset than `before`, by halving."""
    offset = _offset(tz, before)
    while changed - before > SECOND:
        middle = (before + (changed - before) / 2).replace(microsecond=0)
        if _offset(tz, middle) == offset:
            before = middle
        else:
            changed = middle
    return changed


def _offset(tz: tzinfo, instant: datetime) -> timedelta:
    return _offset_of(instant.astimezone(tz))


def _offset_of(aware: datetime) -> timedelta:
    offset = aware.utcoffset()
    assert offset is not None, "a time zone of the tz database knows its offset"
    return offset
