"""Schedules: every tick runs once although the engine dies anywhere, and of missed ones as many as the policy says.

Between two deaths the clock stands still or an hour passes, so every other recovery finds ticks that were missed.
"""

from datetime import datetime, timedelta
from typing import Any

import litewf
from litewf.world import EPOCH
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import scenario
from tests.crash.virtual_clock import START_US

EVERY = timedelta(minutes=20)
CRON = "*/20 * * * *"
END_US = START_US + 45 * 60_000_000
MINUTE = timedelta(minutes=1)


def _ticking(life: Life, sleep_s: float, **options: Any) -> Drive:
    """A scheduled workflow with a step, for some time, or until now if that has passed."""

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
        life.settle(max(END_US, life.time.now_us))
        if not engine.get_schedule("tick").paused:
            _check_ticks(life, engine, **options)
            engine.pause_schedule("tick")
        life.settle()
        if options.get("overlap", "allow") != "allow":
            _check_alone(life, engine)

    return drive


def _check_ticks(life: Life, engine: litewf.Engine, on_missed: str, overlap: str = "allow", **_options: Any) -> None:
    """H1: at most one run for each intended time, and at least one if the policy says so."""
    now = EPOCH + timedelta(microseconds=life.time.now_us)
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
    ran = sorted((status.started_at, status.completed_at) for status in engine.list_workflows(name="tick"))  # type: ignore[type-var]  # all have ended
    for (_, ended), (began, _) in zip(ran, ran[1:], strict=False):
        if began < ended:  # type: ignore[operator]  # as above
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


@scenario(linger=0)
def ticks_keep_one_behind(life: Life) -> Drive:
    return _ticking(life, 1500, on_missed="all", overlap="buffer_one")


@scenario(linger=0)
def ticks_with_jitter_do_not_overlap(life: Life) -> Drive:
    return _ticking(life, 1500, on_missed="once", overlap="skip", jitter=300)
