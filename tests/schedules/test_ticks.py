"""When ticks run: on time, late, after a sleep, after the clock was set (H1, H3)."""

from datetime import timedelta

import pytest

import litewf
from tests.schedules.scene import DAY, HOUR, MINUTE, at


def test_a_tick_runs_at_its_time_as_the_workflow_named_after_it(scene, report):
    litewf.scheduled("*/5 * * * *")(report)
    with scene.engine() as engine:
        scene.pass_time(engine, 11 * MINUTE)
        ids = [status.workflow_id for status in engine.list_workflows()]
        assert engine.get_schedule("report").last_at == at("2030-01-01 12:10")
        assert engine.get_schedule("report").next_at == at("2030-01-01 12:15")
    assert scene.ticks == ["12:05", "12:10"]
    assert ids == ["report@2030-01-01T12:05:00Z", "report@2030-01-01T12:10:00Z"]


def test_a_workflow_gets_the_intended_and_the_actual_time_with_their_zone(scene, report):
    litewf.scheduled("0 13 * * *", on_missed="once", timezone="UTC")(report)
    with scene.engine() as engine:
        scene.jump(engine, HOUR + 90)
    assert scene.notes == [(at("2030-01-01 13:00"), at("2030-01-01 13:01:30"))]
    assert all(moment.utcoffset() == timedelta(0) for moment in scene.notes[0])


def test_an_async_workflow_and_one_with_seconds_are_scheduled_the_same(scene):
    @litewf.scheduled("*/20 * * * * *")
    @scene.registry.workflow(name="pulse")
    async def pulse(scheduled_at, actual_at):
        scene.note(scheduled_at, actual_at)

    with scene.engine() as engine:
        scene.pass_time(engine, 60, step=20)
    assert [tick.second for tick, _ in scene.notes] == [20, 40, 0]


def test_a_new_schedule_starts_with_the_next_tick_whatever_its_policy(scene, report):
    litewf.scheduled("0 * * * *", on_missed="all")(report)
    with scene.engine() as engine:
        scene.rest(engine)
        assert scene.ticks == []
        scene.pass_time(engine, HOUR)
    assert scene.ticks == ["13:00"]


def test_an_engine_that_stops_and_starts_between_ticks_changes_nothing(scene, report):
    litewf.scheduled("*/5 * * * *", on_missed="all")(report)
    for _ in range(30):
        with scene.engine() as engine:
            scene.jump(engine, MINUTE)
    assert scene.ticks == ["12:05", "12:10", "12:15", "12:20", "12:25", "12:30"]


# --- missed ticks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"on_missed": "skip"}, []),
        ({"on_missed": "once"}, ["15:15"]),
        ({"on_missed": "all"}, ["12:15", "12:30", "12:45", "13:00", "13:15", "13:30", "13:45", "14:00", "14:15",
                                "14:30", "14:45", "15:00", "15:15"]),
        ({"on_missed": "all", "catch_up": HOUR}, ["14:30", "14:45", "15:00", "15:15"]),
        ({"on_missed": "all", "catch_up": timedelta(minutes=20)}, ["15:15"]),
        ({"on_missed": "once", "catch_up": HOUR}, ["15:15"]),
        ({"on_missed": "once", "catch_up": 5 * MINUTE}, []),
    ],
    ids=["skip", "once", "all", "all within an hour", "all within minutes", "once within an hour", "once within minutes"],
)  # fmt: skip
@pytest.mark.parametrize("asleep", [True, False], ids=["asleep", "off"])
def test_after_three_hours_away_the_policy_decides(scene, report, options, expected, asleep):
    """H3: a suspend, or a program that was off, triggers the policy and nothing beyond it."""
    litewf.scheduled("*/15 * * * *", **options)(report)
    engine = scene.engine()
    with engine:
        scene.rest(engine)
        if asleep:
            scene.jump(engine, 3 * HOUR + 25 * MINUTE)
    if not asleep:
        scene.clock.move(3 * HOUR + 25 * MINUTE)
    with scene.engine() as engine:
        scene.rest(engine)
        assert sorted(scene.ticks) == expected  # they run side by side
        assert [f"{tick:%H:%M}" for tick, actual in scene.notes if actual != at("2030-01-01 15:25")] == []
        scene.pass_time(engine, 5 * MINUTE)
    assert sorted(scene.ticks) == [*expected, "15:30"]


@pytest.mark.parametrize(("late_s", "runs"), [(0, True), (59, True), (60, True), (61, False)])
def test_a_tick_more_than_a_minute_late_is_missed(scene, report, late_s, runs):
    litewf.scheduled("0 13 * * *")(report)
    with scene.engine() as engine:
        scene.jump(engine, HOUR + late_s)
    assert scene.ticks == (["13:00"] if runs else [])


@pytest.mark.parametrize("on_missed", ["once", "all"])
def test_a_tick_that_is_on_time_runs_even_if_the_window_is_shorter(scene, report, on_missed):
    litewf.scheduled("0 13 * * *", on_missed=on_missed, catch_up=1)(report)
    with scene.engine() as engine:
        scene.jump(engine, HOUR + 30)
    assert scene.ticks == ["13:00"]


def test_of_several_ticks_within_a_minute_skip_runs_the_latest(scene, report):
    litewf.scheduled("*/10 * * * * *")(report)
    with scene.engine() as engine:
        scene.jump(engine, 45)
    assert [tick.second for tick, _ in scene.notes] == [40]


def test_all_missed_ticks_run_oldest_first_in_bounded_transactions(scene, report):
    litewf.scheduled("* * * * *", on_missed="all")(report)
    with scene.engine():
        pass
    scene.clock.move(250 * MINUTE)
    sizes = []

    def count():
        found = engine.query("SELECT count(*) FROM workflow")[0][0]
        if found and found not in sizes:
            sizes.append(found)

    with scene.engine() as engine:
        scene.until(lambda: count() or len(sizes) >= 3)
        scene.rest(engine)
        rows = engine.query("SELECT id FROM workflow ORDER BY key")
    assert sizes == [100, 200, 250]
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert len(scene.notes) == 250


# --- clocks that are set ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_missed", ["skip", "once", "all"])
@pytest.mark.parametrize("back_s", [1, 4 * MINUTE, 3 * HOUR, 4000 * DAY])
def test_a_clock_that_is_set_back_repeats_no_tick(scene, report, on_missed, back_s):
    """H3."""
    litewf.scheduled("*/5 * * * *", on_missed=on_missed)(report)
    with scene.engine() as engine:
        scene.pass_time(engine, 21 * MINUTE)
        before = list(scene.ticks)
        scene.jump(engine, -back_s)
        if back_s < DAY:
            scene.pass_time(engine, back_s, step=5 * MINUTE)
        assert scene.ticks == before == ["12:05", "12:10", "12:15", "12:20"]
        if back_s < DAY:
            scene.pass_time(engine, 4 * MINUTE)
            assert scene.ticks == [*before, "12:25"]


def test_a_clock_that_is_set_back_while_no_engine_runs_repeats_no_tick(scene, report):
    litewf.scheduled("*/5 * * * *", on_missed="all")(report)
    with scene.engine() as engine:
        scene.pass_time(engine, 21 * MINUTE)
    scene.clock.move(-2 * HOUR)
    with scene.engine() as engine:
        scene.pass_time(engine, 2 * HOUR, step=5 * MINUTE)
    assert scene.ticks == ["12:05", "12:10", "12:15", "12:20"]


@pytest.mark.parametrize(("on_missed", "ran"), [("skip", 0), ("once", 1), ("all", 24)])
def test_a_clock_that_is_set_forward_triggers_the_policy_once(scene, report, on_missed, ran):
    """H3: never a stampede beyond it."""
    litewf.scheduled("0 * * * *", on_missed=on_missed)(report)
    with scene.engine() as engine:
        scene.jump(engine, DAY + 30 * MINUTE)
        assert len(scene.notes) == ran
        scene.rest(engine)
        assert len(scene.notes) == ran


def test_after_a_trip_to_a_far_future_a_pause_and_a_resume_bring_a_schedule_back(scene, report):
    litewf.scheduled("*/5 * * * *", on_missed="once")(report)
    with scene.engine() as engine:
        scene.pass_time(engine, 6 * MINUTE)
        scene.jump(engine, 4000 * DAY)
        scene.jump(engine, -4000 * DAY)
        engine.pause_schedule("report")
        engine.resume_schedule("report")
        scene.pass_time(engine, 5 * MINUTE)
    assert [tick.year for tick, _ in scene.notes] == [2030, 2040, 2030]
    assert scene.ticks[0::2] == ["12:05", "12:10"]


# --- time zones while they run ------------------------------------------------------------------------------------


def test_a_zone_that_this_machine_lacks_stops_no_other_schedule(scene, report, caplog):
    litewf.scheduled("*/5 * * * *")(report)
    litewf.scheduled("*/5 * * * *", name="elsewhere", timezone="Europe/Berlin")(report)
    with scene.engine() as engine:
        engine.query("SELECT 1")
    import apsw

    connection = apsw.Connection(str(scene.path))
    connection.execute("INSERT OR REPLACE INTO schedule SELECT 'gone', workflow, receiver, cron, 'Mars/Phobos', on_missed,"
                       " catch_up_us, overlap, jitter_us, queue, 'file', 0, next_us, NULL, updated_us FROM schedule"
                       " WHERE name = 'report'")  # fmt: skip
    connection.close()
    with scene.engine() as engine:
        scene.pass_time(engine, 11 * MINUTE)
        assert scene.ticks == ["12:05", "12:05", "12:10", "12:10"]
        assert engine.get_schedule("gone").last_at is None
    warnings = [record.getMessage() for record in caplog.records if "Mars" in record.getMessage()]
    assert len(warnings) == 1
    assert "'gone' does not run here" in warnings[0]


def test_a_daily_schedule_runs_once_on_the_days_on_which_the_clocks_change(scene, report):
    litewf.scheduled("30 2 * * *", timezone="Europe/Berlin")(report)
    with scene.engine() as engine:
        for month, day in ((3, 30), (10, 26)):
            scene.jump(engine, (at(f"2030-{month:02}-{day} 12:00") - scene.clock.now).total_seconds())
            scene.notes.clear()
            scene.pass_time(engine, 2 * DAY, step=30 * MINUTE)
            assert len(scene.notes) == 2
