"""Virtual time: a month passes in milliseconds, each thing happens at its time, and no time passes while things happen."""

import asyncio
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import litewf
from litewf.testing import START, MortalEngine, VirtualClock

DAY = 86_400.0
Launch = Callable[..., MortalEngine]


@pytest.fixture
def launch(path: Path, registry: litewf.Registry) -> Any:
    launched: list[MortalEngine] = []

    def start(clock: VirtualClock, **options: Any) -> MortalEngine:
        engine = MortalEngine(path, clock=clock, **{"registry": registry, **options})
        engine.launch()
        launched.append(engine)
        return engine

    yield start
    for engine in launched:
        engine.shutdown(timeout=5)


@pytest.fixture(params=["sync", "async"])
def month(request: pytest.FixtureRequest, registry: litewf.Registry) -> Any:
    """A workflow that sleeps for thirty days and says when it woke up."""

    @registry.workflow(name="month")
    def month() -> datetime:
        litewf.sleep(30 * DAY)
        return litewf.now()

    async def month_async() -> datetime:
        await litewf.sleep_async(30 * DAY)
        return litewf.now()

    return month if request.param == "sync" else registry.workflow(name="month_async")(month_async)


@pytest.mark.parametrize("linger", [0, 0.2, None])
def test_a_month_of_sleep_is_over_when_a_test_waits_for_its_end(month: Any, launch: Launch, linger: Any) -> None:
    clock = VirtualClock()
    assert launch(clock, linger=linger).run_workflow(month) == START + timedelta(days=30)
    assert clock.now == START + timedelta(days=30)


def test_inline_time_stands_until_somebody_waits(month: Any, launch: Launch) -> None:
    clock = VirtualClock()
    engine = launch(clock)
    handle = engine.start_workflow(month)
    engine.wait_until_idle()
    assert clock.now == START
    handle.get_result()
    assert clock.now > START


def test_waiting_for_what_has_ended_lets_no_time_pass(month: Any, registry: litewf.Registry, launch: Launch) -> None:
    quick = registry.workflow(name="quick")(lambda: 1)
    clock = VirtualClock()
    engine = launch(clock)
    engine.start_workflow(month)
    ended = engine.start_workflow(quick)
    ended.get_result()
    for _ in range(50):
        ended.get_result()
    assert clock.now == START


def test_driven_time_moves_only_when_it_is_told_to(month: Any, launch: Launch) -> None:
    clock = VirtualClock(mode="driven")
    handle = launch(clock).start_workflow(month)
    clock.advance(29 * DAY)
    assert handle.get_status().status == "PENDING"
    clock.advance(DAY)
    assert handle.get_result() == clock.now == START + timedelta(days=30)


def test_free_time_jumps_whenever_nothing_happens(month: Any, launch: Launch) -> None:
    ended = threading.Event()
    engine = launch(VirtualClock(mode="free"))
    engine.start_workflow(month).add_done_callback(lambda _: ended.set())
    assert ended.wait(20)


def test_a_drain_ends_when_everything_has_ended_or_waits_for_somebody(
    month: Any, registry: litewf.Registry, launch: Launch
) -> None:
    waiting = registry.workflow(name="waiting")(lambda: litewf.recv(timeout=40 * DAY, default="nobody"))
    clock = VirtualClock(mode="driven")
    engine = launch(clock)
    first, second = engine.start_workflow(month), engine.start_workflow(waiting)
    clock.drain(START + timedelta(days=35))
    assert clock.now == START + timedelta(days=35)
    assert (first.get_status().status, second.get_status().status) == ("SUCCESS", "PENDING")
    clock.drain()
    assert second.get_result() == "nobody"
    assert clock.now == START + timedelta(days=40)


def test_time_does_not_run_to_a_deadline_that_came_to_nothing(registry: litewf.Registry, launch: Launch) -> None:
    waiting = registry.workflow(name="waiting")(lambda: litewf.recv("topic", timeout=30 * DAY, default="nobody"))
    clock = VirtualClock(mode="driven")
    engine = launch(clock)
    handle = engine.start_workflow(waiting)
    clock.advance(3600)
    engine.send(handle.workflow_id, "here", "topic")
    clock.drain()
    assert handle.get_result() == "here"
    assert clock.now == START + timedelta(hours=1)


def test_what_is_due_on_the_way_happens_at_its_own_moment(registry: litewf.Registry, launch: Launch) -> None:
    seen: list[timedelta] = []

    @registry.workflow(name="ticking")
    def ticking() -> None:
        for _ in range(3):
            litewf.sleep(3600)
            seen.append(litewf.now() - START)

    clock = VirtualClock(mode="driven")
    launch(clock, linger=None).start_workflow(ticking)
    clock.advance(DAY)
    assert seen == [timedelta(hours=1), timedelta(hours=2), timedelta(hours=3)]


@pytest.mark.parametrize("passing", ["move", "suspend"])
def test_after_a_step_of_the_clock_or_a_closed_lid_what_was_due_is_late(
    passing: str, registry: litewf.Registry, launch: Launch
) -> None:
    @registry.workflow(name="sleeper")
    def sleeper() -> timedelta:
        litewf.sleep(3600)
        return litewf.now() - START

    clock = VirtualClock(mode="driven")
    engine = launch(clock)
    handle = engine.start_workflow(sleeper)
    engine.wait_until_idle()
    getattr(clock, passing)(DAY)
    assert handle.get_result() == timedelta(days=1)


def test_a_clock_that_is_set_back_wakes_nobody_early(month: Any, launch: Launch) -> None:
    clock = VirtualClock(mode="driven")
    handle = launch(clock).start_workflow(month)
    clock.advance(DAY)
    clock.move(-2 * DAY)
    assert clock.now == START - timedelta(days=1)
    clock.advance(30 * DAY)
    assert handle.get_status().status == "PENDING"
    clock.advance(DAY)
    assert handle.get_status().status == "SUCCESS"


def test_daylight_saving_can_be_scripted(registry: litewf.Registry, launch: Launch) -> None:
    """The hour from 2 to 3 does not exist in Berlin that night."""
    ran: list[datetime] = []

    @litewf.scheduled("30 2 * * *", timezone="Europe/Berlin")
    @registry.workflow(name="nightly")
    def nightly(scheduled_at: datetime, actual_at: datetime) -> None:
        ran.append(actual_at.astimezone(UTC))

    clock = VirtualClock(datetime(2030, 3, 30, 12, tzinfo=UTC), mode="driven")
    launch(clock)
    clock.advance(2 * DAY)
    assert ran == [datetime(2030, 3, 31, 1, tzinfo=UTC), datetime(2030, 4, 1, 0, 30, tzinfo=UTC)]


@pytest.mark.parametrize("kind", ["sync", "async", "async in a thread"])
def test_time_stands_while_a_body_runs(kind: str, registry: litewf.Registry, launch: Launch) -> None:
    clock, begun, go_on = VirtualClock(mode="free"), threading.Event(), threading.Event()

    def body() -> datetime:
        begun.set()
        assert go_on.wait(20)
        return clock.now

    async def body_async() -> datetime:
        begun.set()
        return await asyncio.to_thread(body)

    step = registry.step(name="step", timeout=3600)(body if kind == "sync" else body_async)

    @registry.workflow(name="main")
    async def main() -> Any:
        return await step()

    @registry.workflow(name="main in a thread")
    def main_sync() -> Any:
        return step() if kind == "sync" else litewf.run_step(step)

    engine = launch(clock)
    handle: Any = engine.start_workflow(main if kind == "async" else main_sync)
    other = engine.start_workflow(registry.workflow(name="nap")(lambda: litewf.sleep(60)))
    assert begun.wait(20)
    threading.Event().wait(0.02)  # real time, in which a clock that does not stand would jump
    go_on.set()
    assert handle.get_result() == START
    other.get_result()


def test_a_timeout_of_a_waiting_body_comes_with_despite_bodies(registry: litewf.Registry, launch: Launch) -> None:
    @registry.step(timeout=3600)
    async def stuck() -> None:
        await asyncio.Event().wait()

    @registry.workflow(name="main")
    async def main() -> None:
        await stuck()

    with pytest.raises(litewf.StepTimeoutError):
        launch(VirtualClock(despite_bodies=True)).run_workflow(main)


def test_two_engines_share_one_time(month: Any, path: Path, registry: litewf.Registry, launch: Launch) -> None:
    clock = VirtualClock(mode="driven")
    first, second = launch(clock), launch(clock, executor_id="second")
    handles = [engine.start_workflow(month) for engine in (first, second)]
    clock.drain()
    assert {handle.get_status().status for handle in handles} == {"SUCCESS"}
    assert {handle.get_result() for handle in handles} == {START + timedelta(days=30)}


def test_the_next_engine_finds_the_time_of_the_one_before(month: Any, launch: Launch) -> None:
    clock = VirtualClock(mode="driven")
    first = launch(clock)
    handle = first.start_workflow(month)
    clock.advance(10 * DAY)
    first.kill()
    clock.move(5 * DAY)
    second = launch(clock)
    clock.drain()
    assert second.retrieve_workflow(handle.workflow_id).get_result() == START + timedelta(days=30)


def test_any_engine_takes_the_clock(month: Any, path: Path, registry: litewf.Registry) -> None:
    with litewf.Engine(path, registry=registry, clock=VirtualClock()) as engine:
        assert engine.run_workflow(month) == START + timedelta(days=30)


def test_an_async_engine_on_the_loop_of_the_test(month: Any, path: Path, registry: litewf.Registry) -> None:
    async def main() -> datetime:
        async with litewf.Engine(path, registry=registry, clock=VirtualClock()) as engine:
            found: datetime = await engine.run_workflow_async(month)
            return found

    assert asyncio.run(main()) == START + timedelta(days=30)


def test_a_body_that_never_ends_fails_the_drain_and_is_named(registry: litewf.Registry, launch: Launch) -> None:
    go_on = threading.Event()
    stuck = registry.step(name="stuck")(lambda: go_on.wait(20))
    clock = VirtualClock(mode="driven", patience=0.05)
    engine = launch(clock)
    engine.start_workflow(registry.workflow(name="main")(lambda: [stuck()]).with_options(workflow_id="w"))
    with pytest.raises(AssertionError, match=r"did not come to rest within 0.05 real seconds.* workflow 'w' \(main\)"):
        clock.drain()
    go_on.set()


def test_somebody_who_waits_in_vain_is_told_why(
    registry: litewf.Registry, launch: Launch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("litewf.testing.clock.PUZZLED_S", 0.01)
    waiting = registry.workflow(name="waiting")(lambda: litewf.recv("topic"))
    engine = launch(VirtualClock())
    handle = engine.start_workflow(waiting)
    said = threading.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.set()

    listener = Listener()
    logging.getLogger("litewf.testing").addHandler(listener)
    caller = threading.Thread(target=handle.get_result)
    caller.start()
    assert said.wait(20)
    logging.getLogger("litewf.testing").removeHandler(listener)
    engine.send(handle.workflow_id, "here", "topic")
    caller.join(20)
    assert "somebody waits for a workflow, and nothing is due" in caplog.text


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: VirtualClock(mode="fast"), "mode is"),  # type: ignore[arg-type]  # that is the point
        (lambda: VirtualClock(datetime(2030, 1, 1)), "start must be an aware datetime"),  # noqa: DTZ001 - that is the point
        (lambda: VirtualClock(patience=-1), "patience must be between"),
        (lambda: VirtualClock().advance(-1), "duration must be between"),
        (lambda: VirtualClock().suspend(-1), "duration must be between"),
    ],
    ids=["mode", "start", "patience", "advance", "suspend"],
)
def test_a_clock_refuses_what_makes_no_sense(make: Callable[[], object], error: str) -> None:
    with pytest.raises(ValueError, match=error):
        make()
