"""Attempts of a step: how many, how far apart, for which errors, and that a restart does not forget them."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import litewf
from litewf.testing import VirtualClock
from litewf.world import Entropy, World

from .support import NAP, Flavor, Gate, names, until

Launch = Callable[..., litewf.Engine]


class Failing:
    """A body that fails the first `times` times, and notes when it was called."""

    def __init__(self, times: int, error: Callable[[int], Exception] = lambda n: OSError(f"failure {n}")) -> None:
        self.__name__ = self.__qualname__ = "failing"
        self.times = times
        self.error = error
        self.attempts: list[int] = []
        self.keys: set[str] = set()
        self.called_us: list[int] = []
        self.now_us: Callable[[], int] = lambda: 0

    def __call__(self) -> str:
        self.attempts.append(litewf.attempt())
        self.keys.add(litewf.idempotency_key())
        self.called_us.append(self.now_us())
        if len(self.attempts) <= self.times:
            raise self.error(len(self.attempts))
        return f"done at {litewf.attempt()}"

    @property
    def gaps(self) -> list[float]:
        """Seconds between the attempts."""
        return [(b - a) / 1e6 for a, b in zip(self.called_us, self.called_us[1:], strict=False)]


def calling(registry: litewf.Registry, flavor: Flavor, body: Any, **options: Any) -> Any:
    """A workflow that calls one step and sleeps after it, so that its outcome is replayed."""
    step = flavor.step(registry, **options)(body)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        try:
            found = yield do(step)
        except Exception as error:
            yield do.sleep(NAP)
            raise error
        yield do.sleep(NAP)
        return found

    return flow


def test_without_retries_the_steps_own_error_is_raised(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    body = Failing(1)
    with pytest.raises(OSError, match="failure 1"):
        launch().run_workflow(calling(registry, flavor, body))
    assert body.attempts == [1]


def test_a_step_is_tried_again_until_it_succeeds(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    body = Failing(3)
    engine = launch()
    handle = engine.start_workflow(calling(registry, flavor, body, max_retries=3).with_options(workflow_id="w"))
    assert handle.get_result() == "done at 4"
    assert body.attempts == [1, 2, 3, 4]
    assert body.keys == {"w:1"}
    assert engine.list_steps("w")[0].attempts == 4
    assert engine.list_steps("w")[0].error is None


def test_when_retries_run_out_all_errors_are_told(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    body = Failing(9)
    engine = launch()
    handle = engine.start_workflow(calling(registry, flavor, body, max_retries=2).with_options(workflow_id="w"))
    with pytest.raises(
        litewf.StepRetriesExceededError, match=r"step 1 .*failing.* of workflow 'w'.* 3 attempts"
    ) as info:
        handle.get_result()
    assert [str(error) for error in info.value.errors] == ["failure 1", "failure 2", "failure 3"]
    assert {type(error) for error in info.value.errors} == {OSError}
    assert str(info.value.__cause__) == "failure 3"
    assert body.attempts == [1, 2, 3]
    assert engine.list_steps("w")[0].attempts == 3


@pytest.mark.parametrize(
    ("options", "gaps"),
    [
        ({}, [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]),
        ({"base_interval": 1, "backoff_factor": 1}, [1.0] * 8),
        ({"base_interval": timedelta(minutes=1), "max_interval": timedelta(minutes=3)}, [60.0, 120.0] + [180.0] * 6),
        ({"base_interval": 0}, [0.0] * 8),
        ({"base_interval": 10, "max_interval": 2}, [2.0] * 8),
        ({"backoff_factor": 1000.0, "max_interval": 7}, [0.1] + [7.0] * 7),
    ],
    ids=str,
)
def test_the_interval_grows_to_its_limit(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, options: dict[str, Any], gaps: list[float]
) -> None:
    body = Failing(8)
    engine = launch()
    body.now_us = engine._world.now_us
    engine.run_workflow(calling(registry, flavor, body, max_retries=8, **options))
    assert body.gaps == pytest.approx(gaps)


def test_jitter_spreads_the_intervals(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    class Fixed(Entropy):
        def __init__(self) -> None:
            super().__init__(1)
            self.values = [0.0, 0.5, 0.75]

        def random(self) -> float:
            return self.values.pop(0) if self.values else random.random()

    body, clock = Failing(3), VirtualClock(mode="free")
    engine = launch(world=World(clock, Fixed()))
    body.now_us = clock.now_us
    engine.run_workflow(calling(registry, flavor, body, max_retries=3, base_interval=8, backoff_factor=1,
                                max_interval=8, jitter=0.5))  # fmt: skip
    assert body.gaps == pytest.approx([4.0, 8.0, 10.0])


def test_an_error_of_another_type_is_not_tried_again(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    body = Failing(9, lambda n: OSError("again") if n < 3 else KeyError("never"))
    with pytest.raises(KeyError, match="never"):
        launch().run_workflow(calling(registry, flavor, body, max_retries=5, retry_on=(OSError, ValueError)))
    assert body.attempts == [1, 2, 3]


def test_an_error_that_is_refused_on_the_last_attempt_stays_what_it_is(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    body = Failing(9, lambda n: OSError("again") if n < 3 else KeyError("never"))
    with pytest.raises(KeyError, match="never"):
        launch().run_workflow(calling(registry, flavor, body, max_retries=2, retry_on=OSError))
    assert body.attempts == [1, 2, 3]


def test_a_predicate_decides(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    body = Failing(9)
    with pytest.raises(OSError, match="failure 2"):
        launch().run_workflow(calling(registry, flavor, body, max_retries=5, retry_on=lambda error: "1" in str(error)))
    assert body.attempts == [1, 2]


def test_a_predicate_that_fails_is_the_outcome_of_the_step(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    def broken(error: Exception) -> bool:
        raise RuntimeError("bad predicate")

    body = Failing(9)
    engine = launch()
    handle = engine.start_workflow(
        calling(registry, flavor, body, max_retries=5, retry_on=broken).with_options(workflow_id="w")
    )
    with pytest.raises(RuntimeError, match="bad predicate") as info:
        handle.get_result()
    assert isinstance(info.value.__cause__, OSError)
    assert names(engine, "w")[0] == ("1", "failing")


def test_a_result_that_cannot_be_recorded_is_not_a_reason_to_run_the_body_again(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    calls = []

    def body() -> object:
        calls.append(litewf.attempt())
        return object()

    with pytest.raises(litewf.SerializationError):
        launch().run_workflow(calling(registry, flavor, body, max_retries=5))
    assert calls == [1]


def test_the_count_and_the_errors_of_all_attempts_survive_a_restart(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    gate, body = Gate(), Failing(9)

    def stuck() -> str:
        if len(body.attempts) == 2 and not gate.reached.is_set():
            gate.wait()
            return "cut off"
        return body()

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do.run_step(litewf.Registry().step(max_retries=3)(stuck))

    first = launch()
    first.start_workflow(flow.with_options(workflow_id="w"))
    gate.await_reached()
    first.shutdown(timeout=0)
    gate.open()
    with pytest.raises(litewf.StepRetriesExceededError) as info:
        launch().retrieve_workflow("w").get_result()
    assert body.attempts == [1, 2, 3, 4]
    assert [str(error) for error in info.value.errors] == ["failure 1", "failure 2", "failure 3", "failure 4"]
    assert body.keys == {"w:1"}


def test_a_step_that_waits_for_its_next_attempt_holds_nothing_and_says_so(
    path: Any, registry: litewf.Registry, flavor: Flavor
) -> None:
    """With a clock that stands still: the next attempt never comes."""

    class Still(litewf.Clock):
        def now_us(self) -> int:
            return 1_700_000_000_000_000

    body = Failing(1)
    with litewf.Engine(path, registry=registry, clock=Still(), linger=0) as engine:
        flow = calling(registry, flavor, body, max_retries=1, base_interval=50, max_interval=99)
        handle = engine.start_workflow(flow)
        until(lambda: handle.get_status().waiting_on)
        (waiting,) = handle.get_status().waiting_on
        step = engine.list_steps(handle.workflow_id)[0]
    assert waiting.step_id == "1"
    assert waiting.what == "the next attempt of failing"
    assert waiting.until is not None
    assert (waiting.until - step.started_at).total_seconds() == 50
    assert (step.attempts, step.completed_at) == (1, None)
    body.times = 0
    with litewf.Engine(path, registry=registry, linger=0) as engine:
        assert engine.retrieve_workflow(handle.workflow_id).get_status().status == "PENDING"


# --- time limits --------------------------------------------------------------------------------------------------


def test_an_attempt_that_takes_too_long_fails_and_its_late_outcome_is_dropped(
    launch: Launch, registry: litewf.Registry
) -> None:
    gate = Gate()

    @registry.step(timeout=0.01, name="slow")
    def slow() -> str:
        gate.wait()
        return "late"

    @registry.workflow
    def flow() -> str:
        slow()
        return "too late"

    engine = launch(clock=None)
    handle = engine.start_workflow(flow)
    with pytest.raises(
        litewf.StepTimeoutError, match=r"step 1 \(slow\).* attempt 1 took longer than its timeout of 0.01"
    ):
        handle.get_result()
    gate.open()
    (step,) = engine.list_steps(handle.workflow_id)
    assert step.output is None
    assert isinstance(step.error, TimeoutError)


def test_an_async_attempt_that_takes_too_long_is_stopped(launch: Launch, registry: litewf.Registry) -> None:
    seen = []

    @registry.step(timeout=0.01, max_retries=1, base_interval=0)
    async def slow() -> str:
        try:
            if litewf.attempt() == 1:
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("stopped")
            raise
        return f"attempt {litewf.attempt()}"

    @registry.workflow
    async def flow() -> str:
        return await slow()

    assert launch(clock=None).run_workflow(flow) == "attempt 2"
    assert seen == ["stopped"]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_time_limit_holds_for_functions_of_the_other_kind(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, is_async: bool
) -> None:
    gate = Gate()

    def slow() -> None:
        gate.wait()

    async def slow_async() -> None:
        await asyncio.Event().wait()

    step = registry.step(timeout=0.01, name="slow")(slow_async if is_async else slow)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do.run_step(step)

    with pytest.raises(litewf.StepTimeoutError, match="slow"):
        launch(clock=None).run_workflow(flow)
    gate.open()


def test_a_body_within_its_time_limit_is_not_disturbed(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    step = flavor.step(registry, timeout=60)(litewf.attempt)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        return (yield do(step)), (yield do(step))

    assert launch().run_workflow(flow) == (1, 1)
