"""H2: where the clocks change, ticks are exactly those that the documented rule says, in every zone."""

from datetime import datetime, timedelta
from itertools import takewhile
from random import Random
from zoneinfo import available_timezones

import pytest

from litewf.cron import next_after
from tests.schedules import oracle

QUARTER = timedelta(minutes=15)
ALL = sorted(name for name in available_timezones() if name not in ("localtime", "Factory"))
NAMED = ["Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Europe/Berlin"]
SAMPLE = NAMED + Random(5).sample([name for name in ALL if name not in NAMED], 12)


def found(fields: oracle.Fields, zone: str, start: datetime, end: datetime) -> list[datetime]:
    def chain():
        tick = next_after(fields.text, zone, start)
        while tick is not None:
            yield tick
            tick = next_after(fields.text, zone, tick)

    return list(takewhile(lambda tick: tick < end, chain()))


def check_around_changes(zone: str, first: int, years: int, chance: Random, crons: int) -> int:
    """Look at every minute of the days around each change; how many changes there were."""
    changes = list(oracle.changes(zone, oracle.first_of(first), oracle.first_of(first + years)))
    for change in changes:
        start, end = change - timedelta(hours=chance.randrange(3, 25)), change + timedelta(hours=27)
        moments = oracle.wall(zone, start, end)
        for _ in range(crons):
            fields = oracle.random_fields(chance)
            expected = oracle.ticks(fields, moments)
            assert found(fields, zone, start, end) == expected, (zone, fields.text, change)
    return len(changes)


def check_all_time(zone: str, first: int, years: int, chance: Random, crons: int) -> None:
    """Look at every quarter of an hour of all these years; no zone keeps another time than full quarters in them."""
    start, end = oracle.first_of(first), oracle.first_of(first + years)
    moments = oracle.wall(zone, start, end, QUARTER)
    assert all(local.minute % 15 == 0 for _, local in moments)
    for _ in range(crons):
        fields = oracle.random_fields(chance, minutes=(0, 15, 30, 45))
        assert found(fields, zone, start, end) == oracle.ticks(fields, moments, QUARTER), (zone, fields.text)


@pytest.mark.parametrize("zone", SAMPLE)
def test_a_sample_of_zones_ticks_as_the_clock_on_the_wall_shows(zone):
    seen = check_around_changes(zone, 2007, 10, Random(zone), crons=2)
    assert seen or zone not in NAMED


def test_a_year_of_quarters():
    check_all_time("America/New_York", 2030, 1, Random(3), crons=3)


@pytest.mark.nightly
@pytest.mark.parametrize("zone", ALL)
def test_every_minute_around_each_change_of_every_zone(zone):
    check_around_changes(zone, 2007, 10, Random(zone), crons=2)
    check_around_changes(zone, 2026, 10, Random(zone), crons=2)


@pytest.mark.nightly
@pytest.mark.parametrize("zone", ALL)
def test_every_quarter_of_an_hour_of_ten_years_in_every_zone(zone):
    check_all_time(zone, 2026, 10, Random(zone), crons=2)
