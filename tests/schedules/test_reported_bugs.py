"""Bugs that users of other schedulers have reported, each named after its symptom."""

from datetime import timedelta

import pytest

import litewf
from tests.schedules.scene import DAY, HOUR, MINUTE, at


def test_a_daily_cron_does_not_run_hourly_after_a_refactor(scene, report):
    """The function moves, is renamed, gets a new version: the schedule has one row, and its cron one meaning."""
    litewf.scheduled("0 3 * * *", name="daily")(report)
    with scene.engine(application_version="1") as engine:
        scene.pass_time(engine, DAY, step=15 * MINUTE)
    later = litewf.Registry()

    @litewf.scheduled("0 3 * * *", name="daily")
    @later.workflow(name="report_in_another_module")
    def moved(scheduled_at, actual_at):
        scene.note(scheduled_at, actual_at)

    with scene.engine(registry=later, application_version="2") as engine:
        scene.pass_time(engine, 2 * DAY, step=15 * MINUTE)
        assert [info.name for info in engine.list_schedules()] == ["daily"]
    assert scene.ticks == ["02 03:00", "03 03:00", "04 03:00"]


def test_six_fields_are_never_taken_for_five(scene, report):
    """'0 0 3 * * *' is three o'clock, not each third day of the month, nor each minute of the third hour."""
    litewf.scheduled("0 0 3 * * *")(report)
    with scene.engine() as engine:
        scene.pass_time(engine, 2 * DAY, step=15 * MINUTE)
    assert scene.ticks == ["02 03:00", "03 03:00"]


@pytest.mark.parametrize(
    ("zone", "cron", "day"),
    [
        ("Europe/Berlin", "30 2 * * *", "2030-03-31"),
        ("Europe/Berlin", "30 2 * * *", "2030-10-27"),
        ("Europe/Berlin", "0 3 * * *", "2030-03-31"),
        ("Europe/Berlin", "0 2 * * *", "2030-10-27"),
        ("America/New_York", "30 2 * * *", "2030-03-10"),
        ("America/New_York", "30 1 * * *", "2030-11-03"),
        ("Australia/Lord_Howe", "15 2 * * *", "2030-10-06"),
        ("Australia/Lord_Howe", "45 1 * * *", "2030-04-07"),
        ("America/Santiago", "0 0 * * *", "2030-09-08"),
    ],
)
def test_a_daily_schedule_does_not_run_zero_or_two_times_when_the_clocks_change(scene, report, zone, cron, day):
    litewf.scheduled(cron, timezone=zone)(report)
    scene.clock.move((at(f"{day} 00:00") - timedelta(days=1, hours=12) - scene.clock.now).total_seconds())
    with scene.engine() as engine:
        scene.pass_time(engine, 3 * DAY, step=15 * MINUTE)
    assert len(scene.notes) == 3


def test_nothing_is_marked_as_run_although_nothing_ran(scene, report):
    """A tick that is skipped, left out or lost with its process leaves no trace of having run."""
    litewf.scheduled("0 13 * * *")(report)

    @litewf.scheduled("0 * * * *", overlap="skip")
    @scene.registry.workflow(name="stuck")
    def stuck(scheduled_at, actual_at):
        litewf.recv()

    with scene.engine() as engine:
        scene.jump(engine, HOUR)
        assert engine.get_schedule("stuck").last_at == at("2030-01-01 13:00")
        scene.jump(engine, HOUR)
        assert engine.get_schedule("stuck").last_at == at("2030-01-01 13:00"), "it was left out"
        scene.jump(engine, 2 * DAY)
        assert engine.get_schedule("report").last_at == at("2030-01-01 13:00"), "it was missed"
        ran = {status.name: status.workflow_id for status in engine.list_workflows()}
    assert ran == {"report": "report@2030-01-01T13:00:00Z", "stuck": "stuck@2030-01-01T13:00:00Z"}


def test_a_failed_run_does_not_stop_its_schedule(scene):
    """Paused for ever after one error."""

    @litewf.scheduled("*/5 * * * *")
    @scene.registry.workflow(name="failing")
    def failing(scheduled_at, actual_at):
        scene.note(scheduled_at, actual_at)
        raise OSError("the disk is full")

    with scene.engine() as engine:
        scene.pass_time(engine, 15 * MINUTE)
        assert {status.status for status in engine.list_workflows()} == {"ERROR"}
    assert scene.ticks == ["12:05", "12:10", "12:15"]


def test_a_wake_does_not_run_all_missed_ticks_at_once(scene, report):
    litewf.scheduled("*/5 * * * *", name="plain")(report)
    litewf.scheduled("*/5 * * * *", name="once", on_missed="once")(report)
    with scene.engine() as engine:
        scene.jump(engine, 3 * DAY + 3 * MINUTE)
        ids = [status.workflow_id for status in engine.list_workflows()]
    assert ids == ["once@2030-01-04T12:00:00Z"]


def test_a_wake_does_not_run_a_tick_twice(scene, report):
    """The tick before the sleep, again after it: the clock jumps, stands, and is corrected a little backwards."""
    litewf.scheduled("*/5 * * * *", on_missed="once")(report)
    with scene.engine() as engine:
        scene.jump(engine, 5 * MINUTE)
        scene.jump(engine, 8 * HOUR + 2)
        scene.jump(engine, -4)
        scene.jump(engine, 4)
        scene.pass_time(engine, 3 * MINUTE)
    assert scene.ticks == ["12:05", "20:05"]


def test_two_engines_that_wake_together_do_not_run_a_tick_twice(scene, report):
    litewf.scheduled("*/5 * * * *", on_missed="all")(report)
    with scene.engine() as one, scene.engine() as other:
        for _ in range(10):
            scene.clock.move(5 * MINUTE)
            scene.rest(one)
            scene.rest(other)
        scene.rest(one)
        assert len(one.list_workflows(status="SUCCESS")) == 10
    assert len(scene.ticks) == len(set(scene.ticks)) == 10


def test_a_start_by_hand_under_the_id_of_a_tick_is_that_tick(scene, report):
    litewf.scheduled("*/5 * * * *")(report)
    with scene.engine() as engine:
        by_hand = report.with_options(workflow_id="report@2030-01-01T12:05:00Z")
        engine.run_workflow(by_hand, at("2030-01-01 12:05"), scene.clock.now)
        scene.pass_time(engine, 11 * MINUTE)
    assert scene.ticks == ["12:05", "12:10"]
