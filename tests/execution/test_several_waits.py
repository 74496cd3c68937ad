"""`wait_first` and `wait_all`: who was first is recorded, losers are withdrawn, time limits hold."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import litewf

from .support import NAP, Flavor, Gate, names

Launch = Callable[..., litewf.Engine]


@pytest.fixture
def nap(registry: litewf.Registry, flavor: Flavor) -> Any:
    """A workflow that sleeps for so many seconds, and returns or raises."""

    @flavor.workflow(registry)
    def nap(do: Any, seconds: float, fails: bool = False) -> Any:
        yield do.sleep(seconds)
        if fails:
            raise ValueError(seconds)
        return seconds

    return nap


def test_wait_first_returns_the_handle_that_ends_first_and_replays_the_choice(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, nap: Any
) -> None:
    seen = []

    @flavor.workflow(registry)
    def race(do: Any) -> Any:
        handles = []
        for seconds in (30, 10, 20):
            handles.append((yield do.start_workflow(nap, seconds)))
        first = yield do.wait_first(handles)
        seen.append(handles.index(first))
        rest = [handle for handle in handles if handle is not first]
        second = yield do.wait_first(rest)
        results = []
        for handle in (first, second):
            results.append((yield do.on(handle, "get_result")))
        yield do.sleep(NAP)
        return [*results, (yield do.on(handles[0], "get_result"))]

    engine = launch()
    handle = engine.start_workflow(race.with_options(workflow_id="w"))
    assert handle.get_result() == [10, 20, 30]
    assert set(seen) == {1}
    assert len(seen) > 2
    assert [name for _, name in names(engine, "w")][3:] == [
        "litewf.wait_first", "litewf.wait_first", "litewf.get_result", "litewf.get_result", "litewf.sleep",
        "litewf.get_result",
    ]  # fmt: skip


def test_a_choice_stays_when_another_one_has_ended_meanwhile(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, nap: Any
) -> None:
    gate = Gate()

    @registry.step
    def stop() -> None:
        gate.wait()

    @flavor.workflow(registry)
    def race(do: Any) -> Any:
        slow = yield do.start_workflow(nap, 20)
        fast = yield do.start_workflow(nap, 10)
        first = yield do.wait_first([slow, fast])
        yield do.run_step(stop)
        return first is fast

    first = launch()
    handle = first.start_workflow(race)
    gate.await_reached()
    first.shutdown(timeout=0)
    gate.open()
    assert launch().retrieve_workflow(handle.workflow_id).get_result() is True


def test_wait_first_gives_up_in_time(launch: Launch, registry: litewf.Registry, flavor: Flavor, nap: Any) -> None:
    @flavor.workflow(registry)
    def impatient(do: Any) -> Any:
        handle = yield do.start_workflow(nap, 100)
        found = [(yield do.wait_first([handle], timeout=10, default="late"))]
        try:
            yield do.wait_first([handle], timeout=0)
        except litewf.WaitTimeoutError as error:
            found.append(str(error))
        yield do.sleep(NAP)
        found.append((yield do.wait_first([handle], timeout=0)) is handle)
        return found

    engine = launch()
    handle = engine.start_workflow(impatient)
    assert handle.get_result() == ["late", "none of the waits was over within 0 s; it goes on", True]
    assert all(step.output != "late" for step in engine.list_steps(handle.workflow_id))


def test_wait_all_returns_all_results_in_order_as_one_call(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, nap: Any
) -> None:
    @flavor.workflow(registry)
    def together(do: Any) -> Any:
        handles = yield do.start_workflows([(nap, 30), (nap, 10), (nap, 20)])
        found = yield do.wait_all(handles)
        yield do.sleep(NAP)
        return found, (yield do.wait_all([]))

    engine = launch()
    handle = engine.start_workflow(together.with_options(workflow_id="w"))
    assert handle.get_result() == ([30, 10, 20], [])
    assert names(engine, "w") == [
        ("1", "litewf.start_workflows"), ("2", "litewf.wait_all"), ("3", "litewf.sleep"), ("4", "litewf.wait_all"),
    ]  # fmt: skip


def test_wait_all_raises_the_first_error_once_all_have_ended(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, nap: Any
) -> None:
    @flavor.workflow(registry)
    def together(do: Any) -> Any:
        handles = yield do.start_workflows([(nap, 30), (nap, 20, True), (nap, 10, True)])
        texts = []
        try:
            yield do.wait_all(handles)
        except ValueError as error:
            texts.append(repr(error))
        yield do.sleep(NAP)
        return texts

    assert launch().run_workflow(together) == ["ValueError(20)"]


def test_wait_all_gives_up_in_time(launch: Launch, registry: litewf.Registry, flavor: Flavor, nap: Any) -> None:
    @flavor.workflow(registry)
    def impatient(do: Any) -> Any:
        handles = yield do.start_workflows([(nap, 1), (nap, 100)])
        found = [(yield do.wait_all(handles, timeout=10, default=None))]
        try:
            yield do.wait_all(handles, timeout=0)
        except TimeoutError as error:
            found.append(type(error).__name__)
        yield do.sleep(NAP)
        return found

    assert launch().run_workflow(impatient) == [None, "WaitTimeoutError"]


def test_wait_first_takes_durable_waits_that_were_not_awaited(launch: Launch, registry: litewf.Registry) -> None:
    @registry.workflow
    async def slow(seconds: float) -> float:
        await litewf.sleep_async(seconds)
        return seconds

    @registry.workflow
    async def race() -> Any:
        child = await litewf.start_workflow_async(slow, 50)
        timer = litewf.sleep_async(10)
        first = await litewf.wait_first_async([child, timer, litewf.sleep_async(20)])
        assert first is timer
        before = litewf.now()
        await first
        assert (litewf.now() - before).total_seconds() < 9  # it was due, and is not slept again
        result = child.get_result_async()
        other = litewf.sleep_async(1000)
        won = await litewf.wait_first_async([other, result])
        assert won is result
        await litewf.sleep_async(NAP)
        return await result

    assert launch().run_workflow(race) == 50


def test_a_wait_that_lost_is_withdrawn(launch: Launch, registry: litewf.Registry) -> None:
    @registry.workflow
    async def race() -> list[str]:
        short, long = litewf.sleep_async(1), litewf.sleep_async(1000)
        texts = []
        assert await litewf.wait_first_async([long, short]) is short
        for call in (long, short, short):
            try:
                await call
            except litewf.UsageError as error:
                texts.append(str(error).partition(" was ")[2])
        began = litewf.now()
        await litewf.sleep_async(NAP)
        assert (litewf.now() - began).total_seconds() < NAP + 60  # not the thousand seconds of the one that lost
        return texts

    assert launch().run_workflow(race) == ["withdrawn: another wait was first", "awaited already"]


WRONG_WAITS: list[Callable[[Any], Any]] = [
    lambda _: [], lambda handle: [handle, handle], lambda handle: [handle, 5], lambda handle: [handle, None],
    lambda _: [asyncio.sleep],
]  # fmt: skip


@pytest.mark.parametrize("make", WRONG_WAITS)
def test_what_cannot_be_waited_for_is_refused(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, nap: Any, make: Any
) -> None:
    @flavor.workflow(registry)
    def race(do: Any) -> Any:
        handle = yield do.start_workflow(nap, 1)
        try:
            yield do.wait_first(make(handle))
        except (TypeError, ValueError) as error:
            return str(error)

    engine = launch()
    handle = engine.start_workflow(race)
    assert "wait" in handle.get_result()
    assert [name for _, name in names(engine, handle.workflow_id)] == ["litewf.start:nap"]


@pytest.mark.parametrize("what", ["wait_first", "wait_all"])
@pytest.mark.parametrize("limit", [-1, float("nan"), "1", True])
def test_a_limit_that_is_no_duration_is_refused(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, what: str, limit: Any
) -> None:
    @flavor.workflow(registry)
    def race(do: Any) -> Any:
        yield getattr(do, what)([litewf.WorkflowHandle("x")], timeout=limit)

    with pytest.raises((TypeError, ValueError), match="timeout"):
        launch().run_workflow(race)


@pytest.mark.parametrize("what", ["wait_first", "wait_all"])
def test_a_workflow_that_does_not_exist_is_an_error_that_replays(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, what: str
) -> None:
    @flavor.workflow(registry)
    def race(do: Any) -> Any:
        text = ""
        try:
            yield getattr(do, what)([litewf.WorkflowHandle("nobody")])
        except litewf.WorkflowNotFoundError as error:
            text = str(error)
        yield do.sleep(NAP)
        return text

    assert "'nobody'" in launch().run_workflow(race)
