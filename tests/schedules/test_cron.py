"""What a cron expression may be, which instants it means, and what is refused in one line."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

import litewf
from litewf.cron import latest, next_after, parse, ticks, zone_named

START = datetime(2030, 1, 1, 12, tzinfo=UTC)


def following(cron, zone, after, count):
    """The next ticks in local time, with their offset."""
    tz = ZoneInfo(zone)
    after = datetime.fromisoformat(after).replace(tzinfo=tz)
    found = islice(ticks(cron, zone, after, after + timedelta(days=366 * 30)), count)
    return [f"{tick.astimezone(tz):%m-%d %H:%M%z}" for tick in found]


BAD = {
    "empty": "",
    "a blank": " ",
    "four fields": "* * * *",
    "seven fields": "0 0 * * * * 2030",
    "ten thousand characters": "*" * 10_000,
    "a line break": "* * * * *\n",
    "NUL": "* * * * *\0",
    "minute 60": "60 * * * *",
    "hour 24": "0 24 * * *",
    "day 0": "0 0 0 * *",
    "month 13": "0 0 1 13 *",
    "weekday 8": "0 0 * * 8",
    "second 60": "60 0 0 * * *",
    "a negative number": "-1 * * * *",
    "a step of zero": "*/0 * * * *",
    "a step beyond the field": "*/70 * * * *",
    "a step from one number": "5/15 * * * *",
    "a backward range": "5-3 * * * *",
    "a backward range of names": "0 0 * * sat-mon",
    "half a range": "5- * * * *",
    "half a list": "5, * * * *",
    "an unknown name": "0 0 * * xyz",
    "a month as a weekday": "0 0 * * jan",
    "31 February": "0 0 31 2 *",
    "30 February": "0 0 30 feb *",
    "31 of the short months": "0 0 31 4,6,9,11 *",
    "L": "0 0 L * *",
    "a last weekday": "0 0 * * L5",
    "W": "0 0 15W * *",
    "#": "0 0 * * 5#2",
    "?": "0 0 ? * 1",
    "a hash": "H * * * *",
    "a random minute": "R * * * *",
    "a nickname": "@daily",
    "digits of another script": "٣ * * * *",
    "every other day and a weekday": "0 0 */2 * 1",
    "all days in a list and a weekday": "0 0 1-31 * 1",
    "a decimal": "1.5 * * * *",
}


@pytest.mark.parametrize("cron", BAD.values(), ids=BAD.keys())
def test_a_bad_expression_is_refused_in_one_line_where_it_is_written(cron):
    with pytest.raises(ValueError, match="cron") as refusal:
        litewf.scheduled(cron)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("cron", [None, 5, b"* * * * *", ["*"] * 5])
def test_an_expression_that_is_no_text_is_refused(cron):
    with pytest.raises(TypeError, match="is text"):
        litewf.scheduled(cron)


BAD_ZONES = ["", " ", "UTC+25", "Mars/Phobos", "../../etc/passwd", "/etc/localtime", "right/UTC", "posix/UTC",
             "localtime", "Europe", "a\0b", "\ud800", "x" * 10_000]  # fmt: skip


@pytest.mark.parametrize("zone", BAD_ZONES, ids=range(len(BAD_ZONES)))
def test_an_unknown_zone_is_refused_in_one_line(zone):
    with pytest.raises(ValueError, match="no time zone") as refusal:
        litewf.scheduled("0 0 * * *", timezone=zone)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("zone", [None, UTC, 1])
def test_a_zone_that_is_no_name_is_refused(zone):
    with pytest.raises(TypeError, match="by its name"):
        litewf.scheduled("0 0 * * *", timezone=zone)


@pytest.mark.parametrize(
    ("cron", "same"),
    [
        ("0 0 * * SUN", "0 0 * * 0"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * Sat-sun", "0 0 * * 0,6"),
        ("0 0 * * 5-7", "0 0 * * fri,sat,sun"),
        ("0 0 * * 0-7", "0 0 * * *"),
        ("0 0 1 JAN-mAr *", "0 0 1 1,2,3 *"),
        ("*/15 * * * *", "0,15,30,45 * * * *"),
        ("0-59/20 * * * *", "0 0,20,40 * * * *"),
        ("  0   9\t* * * ".replace("\t", " "), "0 9 * * *"),
    ],
)
def test_expressions_that_say_the_same_tick_the_same(cron, same):
    ours, theirs = (list(islice(ticks(one, "UTC", START, START + timedelta(days=800)), 20)) for one in (cron, same))
    assert ours == theirs


def test_the_seconds_come_first():
    assert next_after("30 * * * * *", "UTC", START) == START + timedelta(seconds=30)
    assert next_after("* * * * * *", "UTC", START) == START + timedelta(seconds=1)
    assert next_after("0 0 1 * * *", "UTC", START) == datetime(2030, 1, 2, 1, tzinfo=UTC)


def test_either_day_field_is_enough_when_both_are_limited():
    found = list(islice(ticks("0 0 13 * fri", "UTC", START, START + timedelta(days=60)), 4))
    assert [tick.day for tick in found] == [4, 11, 13, 18]


def test_a_leap_day_is_found_across_a_century_without_one():
    assert next_after("0 0 29 2 *", "UTC", datetime(2096, 3, 1, tzinfo=UTC)) == datetime(2104, 2, 29, tzinfo=UTC)


def test_at_the_end_of_the_calendar_no_tick_comes():
    assert next_after("0 0 1 1 *", "UTC", datetime(9999, 6, 1, tzinfo=UTC)) is None
    assert next_after("0 * 1 1 *", "Europe/Berlin", datetime(9999, 6, 1, tzinfo=UTC)) is None


def test_a_tick_is_strictly_after_the_instant_also_within_its_second():
    tick = datetime(2030, 1, 2, 9, tzinfo=UTC)
    for before in (timedelta(microseconds=1), timedelta(milliseconds=500), timedelta(seconds=1)):
        assert next_after("0 9 * * *", "UTC", tick - before) == tick
    for later in (timedelta(0), timedelta(microseconds=1), timedelta(milliseconds=999)):
        assert next_after("0 9 * * *", "UTC", tick + later) == tick + timedelta(days=1)


@pytest.mark.parametrize("cron", ["* * * * * *", "0 9 * * *", "30 * * * *", "0 0 1 * *", "0 0 29 2 *"])
@pytest.mark.parametrize("hours", [0.001, 1, 24 * 40, 24 * 3660])
def test_the_latest_tick_is_the_last_of_all(cron, hours):
    until = START + timedelta(hours=hours)
    found = latest(cron, "Europe/Berlin", START, until)
    if found is None:
        assert list(islice(ticks(cron, "Europe/Berlin", START, until), 1)) == []
    else:
        assert START < found <= until
        following = next_after(cron, "Europe/Berlin", found)
        assert following is not None
        assert following > until


# --- H2: where the clocks change ----------------------------------------------------------------------------------


def test_a_time_that_is_skipped_fires_when_the_gap_ends():
    assert following("30 2 * * *", "Europe/Berlin", "2030-03-30 00:00", 3) == [
        "03-30 02:30+0100", "03-31 03:00+0200", "04-01 02:30+0200"]  # fmt: skip


def test_a_time_that_is_repeated_fires_the_first_time_only():
    assert following("30 2 * * *", "Europe/Berlin", "2030-10-26 00:00", 3) == [
        "10-26 02:30+0200", "10-27 02:30+0200", "10-28 02:30+0100"]  # fmt: skip


def test_times_that_one_gap_skips_are_one_tick():
    assert following("*/20 2 * * *", "Europe/Berlin", "2030-03-30 02:30", 3) == [
        "03-30 02:40+0100", "03-31 03:00+0200", "04-01 02:00+0200"]  # fmt: skip


def test_a_time_at_the_end_of_the_gap_is_the_same_tick_as_those_in_it():
    assert following("0 2,3 * * *", "Europe/Berlin", "2030-03-31 00:00", 2) == ["03-31 03:00+0200", "04-01 02:00+0200"]


def test_an_hourly_schedule_fires_in_the_repeated_hour_again_and_in_the_skipped_one_not():
    assert following("30 * * * *", "Europe/Berlin", "2030-10-27 01:00", 4) == [
        "10-27 01:30+0200", "10-27 02:30+0200", "10-27 02:30+0100", "10-27 03:30+0100"]  # fmt: skip
    assert following("30 * * * *", "Europe/Berlin", "2030-03-31 01:00", 3) == [
        "03-31 01:30+0100", "03-31 03:30+0200", "03-31 04:30+0200"]  # fmt: skip


def test_from_within_the_repeated_hour_nothing_of_it_comes_again():
    second = datetime(2030, 10, 27, 2, 10, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
    found = next_after("*/5 2 * * *", "Europe/Berlin", second)
    assert found == datetime(2030, 10, 28, 2, 0, tzinfo=ZoneInfo("Europe/Berlin"))


def test_lord_howe_moves_by_half_an_hour():
    assert following("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 00:00", 3) == [
        "10-03 02:15+1030", "10-04 02:30+1100", "10-05 02:15+1100"]  # fmt: skip
    assert following("45 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00", 2) == [
        "04-05 01:45+1100", "04-06 01:45+1030"]  # fmt: skip
    assert following("45 * * * *", "Australia/Lord_Howe", "2026-04-05 01:00", 3) == [
        "04-05 01:45+1100", "04-05 01:45+1030", "04-05 02:45+1030"]  # fmt: skip


def test_apia_had_no_30_december_2011():
    assert following("0 9 * * *", "Pacific/Apia", "2011-12-29 00:00", 3) == [
        "12-29 09:00-1000", "12-31 00:00+1400", "12-31 09:00+1400"]  # fmt: skip
    assert following("0 */12 * * *", "Pacific/Apia", "2011-12-29 00:30", 3) == [
        "12-29 12:00-1000", "12-31 00:00+1400", "12-31 12:00+1400"]  # fmt: skip


def test_a_midnight_that_is_skipped_fires_when_the_day_begins():
    assert following("0 0 * * *", "America/Asuncion", "2015-10-03 12:00", 2) == ["10-04 01:00-0300", "10-05 00:00-0300"]


def test_utc_needs_no_tz_database(monkeypatch):
    def gone(name):
        raise OSError("no tz database")

    monkeypatch.setattr("zoneinfo.ZoneInfo", gone)
    assert zone_named("UTC") is UTC
    assert parse("0 0 * * *").every_hour is False
