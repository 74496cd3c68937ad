"""Schedules: every tick runs once although the engine dies anywhere, and of missed ones as many as the policy says.

Between two deaths the clock stands still or an hour passes, so every other recovery finds ticks that were missed.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import litewf
from litewf.testing.clock import START_US
from litewf.world import EPOCH
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import scenario

EVERY = timedelta(minutes=20)
CRON = "*/20 * * * *"
END_US = START_US + 45 * 60_000_000
LEAST_US = 50 * 60_000_000  # in which a tick comes, even if the schedule is new and the clock was set back
MINUTE = timedelta(minutes=1)


def _ticking(life: Life, sleep_s: float, **options: Any) -> Drive:
    """A scheduled workflow with a step, for some time."""

    @life.step
    def tell(scheduled_at: str) -> str:
        return scheduled_at

    @life.workflow
    def tick(scheduled_at: datetime, actual_at: datetime) -> str:
        life.note("actual time", actual_at)
        if sleep_s:
            litewf.sleep(sleep_s)
        return tell(scheduled_at.isoformat())

    litewf.scheduled(CRON, **options)(tick)

    def drive(engine: litewf.Engine) -> None:
        life.settle(max(END_US, life.clock.now_us() + LEAST_US))
        if not engine.get_schedule("tick").paused:
            _check_ticks(life, engine, **options)
            engine.pause_schedule("tick")
        life.settle()
        if options.get("overlap", "allow") != "allow":
            _check_alone(life, engine)

    return drive


def _check_ticks(life: Life, engine: litewf.Engine, on_missed: str, overlap: str = "allow", **_options: Any) -> None:
    """H1: at most one run for each intended time, and at least one if the policy says so."""
    now = EPOCH + timedelta(microseconds=life.clock.now_us())
    ran = engine.list_workflows(name="tick")
    times = sorted(datetime.fromisoformat(status.workflow_id.partition("@")[2]) for status in ran)
    if len(times) != len(set(times)) or any(moment.minute % 20 or moment.second for moment in times):
        life.ledger.fail(f"H1 these ran: {times}")
    for status in ran:
        assert status.input is not None
        late = status.created_at - status.input.args[0]  # type: ignore[operator]  # a datetime
        allowed = {"skip": MINUTE, "once": EVERY, "all": timedelta.max}[on_missed]
        if not timedelta(0) <= late <= allowed:
            life.ledger.fail(f"H1 {status.workflow_id} began {late} late")
    if overlap != "allow":
        return  # which are left out depends on how long the others took
    if on_missed == "all" and (not times or times[0] + EVERY * len(times) <= now or times[-1] > now):
        life.ledger.fail(f"H1 of the ticks until {now} only {times} ran")
    if on_missed == "once" and not any(now - moment < EVERY for moment in times):
        life.ledger.fail(f"H1 the last tick before {now} is missing in {times}")


def _check_alone(life: Life, engine: litewf.Engine) -> None:
    """No run began before the one before it had ended."""
    ran = sorted((status.started_at, status.completed_at) for status in engine.list_workflows(name="tick"))
    for (_, ended), (began, _) in zip(ran, ran[1:], strict=False):
        if began < ended:  # type: ignore[operator]  # all have ended
            life.ledger.fail(f"a run began at {began}, before the one before it ended at {ended}")


@scenario()
def every_tick_runs_once(life: Life) -> Drive:
    return _ticking(life, 0, on_missed="all")


@scenario()
def the_latest_missed_tick_runs(life: Life) -> Drive:
    return _ticking(life, 0, on_missed="once")


@scenario()
def missed_ticks_are_left_out(life: Life) -> Drive:
    return _ticking(life, 0, on_missed="skip")


@scenario(downtime_s=(-1500.0, 3600.0))
def a_clock_that_is_set_back_repeats_no_tick(life: Life) -> Drive:
    return _ticking(life, 0, on_missed="all")


@scenario(linger=0)
def ticks_keep_one_behind(life: Life) -> Drive:
    return _ticking(life, 1500, on_missed="all", overlap="buffer_one")


@scenario(linger=0)
def ticks_with_jitter_do_not_overlap(life: Life) -> Drive:
    return _ticking(life, 1500, on_missed="once", overlap="skip", jitter=300)


@scenario()
def changes_take_effect_between_ticks(life: Life) -> Drive:
    """H6: created, paused, edited, resumed, deleted; what was acknowledged holds for every tick that comes after."""

    @life.step
    def tell(scheduled_at: str) -> str:
        return scheduled_at

    @life.workflow
    def tick(scheduled_at: datetime, actual_at: datetime) -> str:
        return tell(scheduled_at.isoformat())

    def act(what: str, do: Callable[[], object], then_s: float) -> None:
        life.ledger.times_us.setdefault(f"{what} at the earliest", life.clock.now_us())
        if life.ledger.acknowledge(what, do):
            life.ledger.times_us[what] = life.clock.now_us()
        life.settle(life.clock.now_us() + int(then_s * 1_000_000))

    def delete(engine: litewf.Engine) -> None:
        with suppress(litewf.ScheduleNotFoundError):  # deleted by a life that did not hear of it
            engine.delete_schedule("s")

    def drive(engine: litewf.Engine) -> None:
        act("created", lambda: engine.create_schedule("s", tick, CRON, on_missed="all"), 1500)
        act("paused", lambda: engine.pause_schedule("s"), 3000)
        act("edited", lambda: engine.create_schedule("s", tick, "10 * * * *", on_missed="all"), 0)
        act("resumed", lambda: engine.resume_schedule("s"), 4000)
        act("deleted", lambda: delete(engine), 4000)
        life.settle()
        _check_changes(life, engine)

    return drive


def _check_changes(life: Life, engine: litewf.Engine) -> None:
    when = life.ledger.times_us
    for status in engine.list_workflows(name="tick"):
        assert status.input is not None
        intended: datetime = status.input.args[0]  # type: ignore[assignment]  # what a schedule gives
        began_us = (status.created_at - EPOCH) // timedelta(microseconds=1)
        if intended.minute % 20 == 0 and began_us > when["paused"]:
            life.ledger.fail(f"H6 {status.workflow_id} began after its cron was changed")
        if intended.minute == 10 and began_us < when["edited at the earliest"]:
            life.ledger.fail(f"H6 {status.workflow_id} began before its cron was changed")
        if when["paused"] < began_us < when["resumed at the earliest"] or began_us > when["deleted"]:
            life.ledger.fail(f"H6 {status.workflow_id} began while nothing may begin")
