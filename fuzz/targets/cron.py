"""Random cron expressions in random zones and years, compared with the clock on the wall; and texts that are none."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from functools import cache
from itertools import takewhile
from zoneinfo import available_timezones

from fuzz.case import Case
from litewf.cron import latest, next_after, parse, ticks, zone_named
from tests.schedules import oracle

FIRST_YEAR, LAST_YEAR = 1973, 2036  # before that, zones moved by other than full minutes
EXPRESSIONS, TEXTS = 5, 20
WORDS = ("*", "*/2", "*/0", "0", "60", "59", "1-5", "5-3", "L", "W", "15W", "#", "mon#2", "?", "sun", "SUN", "Jan", "7", "0-7",
         "1,2", ",", "-", "/", "*/*", "1/2", "+1", "-1", "01", "0x1", "１", "31", "32", "@daily", "\0", "\u00a0", "é", "1" * 50)  # fmt: skip
SOUND = ("*", "*", "*", "0", "1-5", "1,2", "3-9/2")
PLACES = ("", "UTC", "utc", "UTC+25", "Europe/Berlin", "europe/berlin", "../Europe/Berlin", "/etc/localtime", "Europe", "localtime",
          "right/UTC", "posixrules", "a" * 5000, "\0", "Factory", "Pacific/Apia", "Australia/Lord_Howe")  # fmt: skip


def run(case: Case) -> None:
    """A change of the clock in some zone, and some nonsense."""
    _around_a_change(case)
    for _ in range(TEXTS):
        _nonsense(case)


@cache
def _zones() -> list[str]:
    return sorted(available_timezones() - {"localtime", "Factory"})


def _around_a_change(case: Case) -> None:
    chance = case.chance
    zone, start, end = _window(chance)
    moments = oracle.wall(zone, start, end)
    for _ in range(EXPRESSIONS):
        fields = oracle.random_fields(chance)
        asked = start + (end - start) * chance.choice([0, chance.random()])  # also where the clock shows an hour again
        ours = list(takewhile(lambda tick: tick < end, ticks(fields.text, zone, asked, end)))
        wanted = [tick for tick in oracle.ticks(fields, moments) if tick > asked]
        where = f"{fields.text!r} in {zone} from {asked} to {end}"
        assert ours == wanted, f"{where}: {ours}, but the clock shows {wanted}"
        last = latest(fields.text, zone, asked, end - timedelta(seconds=1))
        assert last == (wanted[-1] if wanted else None), f"{where}: the latest is {last}, not {wanted[-1:]}"
        case.met("every hour" if fields.fields[1] is None else "at times of the day")


def _window(chance: random.Random) -> tuple[str, datetime, datetime]:
    """A day or two around a change of the clock; some zones have none, then any days."""
    zone, year = chance.choice(_zones()), chance.randint(FIRST_YEAR, LAST_YEAR)
    changes = list(oracle.changes(zone, oracle.first_of(year), oracle.first_of(year + 1)))
    middle = chance.choice(changes or [oracle.first_of(year)])
    return zone, middle - timedelta(hours=chance.randrange(3, 40)), middle + timedelta(hours=chance.randrange(3, 40))


def _nonsense(case: Case) -> None:
    """A ValueError that names what is wrong, or a tick after the instant that was asked for."""
    chance = case.chance
    parts = [
        chance.choice(WORDS if chance.random() < 0.3 else SOUND)
        for _ in range(chance.choice([0, 1, 4, 5, 5, 5, 6, 6, 7]))
    ]
    text = chance.choice([" ", " ", "  ", "\t"]).join(parts)
    place = chance.choice(PLACES if chance.random() < 0.5 else _zones())
    instant = oracle.first_of(chance.choice([1, 1970, 2024, 2038, 9999])) + timedelta(seconds=chance.randrange(86_400))
    try:
        parse(text)
        zone_named(place)
    except ValueError as error:
        assert "\n" not in str(error)
        case.met("an expression or a zone that is refused")
        return
    found = next_after(text, place, instant)
    assert found is None or found > instant, f"{text!r} in {place!r} after {instant} is {found}"
    case.met("an odd expression")
