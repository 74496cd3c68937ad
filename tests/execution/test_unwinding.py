"""How an execution ends without an outcome: a private signal that no business code takes for an error."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import litewf

from .support import NAP, Flavor, Gate, names, until

Launch = Callable[..., litewf.Engine]


class Trace:
    """What a workflow's own handlers got to see."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def around(self, call: Callable[[], Any]) -> Any:
        """A body's part: a call in all the handlers that people write."""
        try:
            return (yield call)
        except Exception as error:
            self.seen.append(f"except {type(error).__name__}")
            raise
        finally:
            self.seen.append("finally")


@pytest.fixture
def trace() -> Trace:
    return Trace()


def test_except_exception_never_sees_a_park_and_finally_runs_at_each(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, trace: Trace
) -> None:
    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield from trace.around(do.sleep(NAP))
        yield from trace.around(do.sleep(NAP))
        return "done"

    assert launch().run_workflow(flow) == "done"
    assert trace.seen == ["finally"] * 5


@pytest.mark.parametrize("how", ["cancel", "deadline", "shutdown", "held"])
def test_except_exception_never_sees_the_end_of_an_execution(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, trace: Trace, how: str
) -> None:
    gate, runs = Gate(), []

    @registry.step(name="stop")
    def stop() -> None:
        gate.wait()

    @registry.step(name="other")
    def other() -> None:
        pass

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        runs.append(1)
        if how == "held" and len(runs) == 2:
            yield from trace.around(do.run_step(other))
        yield from trace.around(do.run_step(stop))
        yield from trace.around(do.sleep(NAP))
        yield from trace.around(do.run_step(other))

    engine = launch(linger=None) if how != "held" else launch()
    handle = engine.start_workflow(flow.with_options(workflow_id="w", timeout=10 if how == "deadline" else None))
    gate.await_reached()
    if how == "cancel":
        handle.cancel()
    gate.open()
    if how == "shutdown":
        engine.shutdown()
    else:
        with pytest.raises((litewf.WorkflowCancelledError, litewf.WorkflowHeldError)):
            handle.get_result()
        engine.shutdown()
    assert trace.seen
    assert set(trace.seen) == {"finally"}


def test_durable_calls_in_finally_raise_the_signal_again_and_write_nothing(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    seen = []
    nothing = flavor.step(registry, name="nothing")(lambda: seen.append("body"))

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        try:
            yield do.sleep(NAP)
        finally:
            for call in (do(nothing), do.sleep(1), litewf.now, litewf.uuid, do.start_workflow(flow)):
                try:
                    yield call
                except BaseException as error:
                    seen.append(type(error).__name__)
                    if isinstance(error, Exception):
                        raise
        return "end"

    engine = launch()
    handle = engine.start_workflow(flow.with_options(workflow_id="w"))
    until(lambda: len(seen) >= 5)
    assert seen[:5] == ["Unwind"] * 5
    engine.cancel_workflow("w")
    engine.shutdown()
    assert names(launch(), "w")[0] == ("1", "litewf.sleep")
    assert handle.workflow_id == "w"


def test_swallowing_the_signal_changes_nothing_and_warns(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, caplog: pytest.LogCaptureFixture
) -> None:
    bodies = []
    step = flavor.step(registry, name="s")(lambda: bodies.append(1))
    wanted = ["swallow", "let go"]

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        swallow = wanted.pop(0) == "swallow"
        try:
            yield do.sleep(NAP)
        except BaseException:
            if not swallow:
                raise
        if swallow:
            try:
                yield do(step)
            except BaseException:
                return "wrong"
        yield do(step)
        return "right"

    assert launch().run_workflow(flow) == "right"
    assert len(bodies) == 1
    assert "what it did after is discarded" in caplog.text


def test_an_error_raised_in_place_of_the_signal_is_no_outcome(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, caplog: pytest.LogCaptureFixture
) -> None:
    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        try:
            yield do.sleep(NAP)
        except BaseException as signal:
            raise ValueError("disguised") from signal
        return "right"

    assert launch().run_workflow(flow) == "right"
    assert "discarded" in caplog.text


def test_a_workflow_that_ends_although_it_was_cancelled_is_not_blamed(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()

    @registry.step
    def last() -> None:
        gate.wait()

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do.run_step(last)
        return "done"

    engine = launch()
    handle = engine.start_workflow(flow)
    gate.await_reached()
    handle.cancel()
    gate.open()
    engine.shutdown()
    assert "discarded" not in caplog.text
    again = launch()
    assert again.resume_workflow(handle.workflow_id).get_result() == "done"


def test_the_outcome_of_a_body_that_ran_on_through_a_cancel_is_recorded(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    gate, bodies = Gate(), []

    @registry.step
    def charge() -> str:
        bodies.append(1)
        gate.wait()
        return "charged"

    @registry.step
    def never() -> None:
        bodies.append(2)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        found = yield do.run_step(charge)
        yield do.run_step(never)
        return found

    engine = launch()
    handle = engine.start_workflow(flow)
    gate.await_reached()
    handle.cancel()
    with pytest.raises(litewf.WorkflowCancelledError):
        handle.get_result()
    gate.open()
    until(lambda: engine.list_steps(handle.workflow_id))
    assert engine.list_steps(handle.workflow_id)[0].output == "charged"
    assert bodies == [1]
    assert engine.resume_workflow(handle.workflow_id).get_result() == "charged"
    assert bodies == [1, 2]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError])
@pytest.mark.parametrize("where", ["step", "workflow"])
def test_what_is_no_exception_is_an_error_of_use(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, kind: type[BaseException], where: str
) -> None:
    @flavor.step(registry)
    def exits() -> None:
        raise kind

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        if where == "workflow":
            raise kind
        try:
            yield do(exits)
        finally:
            yield do.sleep(NAP)

    with pytest.raises(litewf.UsageError, match=f"raised {kind.__name__}") as info:
        launch().run_workflow(flow)
    assert isinstance(info.value.__cause__, kind)


def test_a_body_that_raises_stop_iteration_fails_like_any_other(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @registry.step
    def stops() -> None:
        raise StopIteration(5)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        try:
            yield do.run_step(stops)
        except Exception as error:
            return type(error).__name__

    engine = launch()
    handle = engine.start_workflow(flow)
    assert handle.get_result() in ("StopIteration", "RuntimeError")
    assert engine.list_steps(handle.workflow_id)[0].error is not None
