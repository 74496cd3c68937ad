"""StopIteration and its like, which mean something else to generators and coroutines, are errors as any other.

An async workflow gets RuntimeError with StopIteration as its cause, as from any coroutine: that is Python's rule.
"""

from collections.abc import Callable
from typing import Any

import pytest

import litewf

from .support import NAP, Flavor

Launch = Callable[..., litewf.Engine]


class Seen(list[BaseException]):
    """What a workflow was given, in each of its runs."""

    def as_texts(self) -> set[str]:
        return {f"{error!r} because of {error.__cause__!r}" for error in self}


def nothing() -> int:
    return next(iter(()))


def expected(flavor: Flavor) -> str:
    live = "RuntimeError('coroutine raised StopIteration') because of StopIteration()"
    return live if flavor.is_async else "StopIteration() because of None"


def catching(registry: litewf.Registry, flavor: Flavor, seen: Seen, call: Callable[[Any], Any]) -> Any:
    """A workflow that catches what a call raises, is replayed, and returns the names of its type and its cause."""

    @flavor.workflow(registry, name="catching")
    def flow(do: Any) -> Any:
        try:
            yield call(do)
        except Exception as error:
            seen.append(error)
        yield do.sleep(NAP)

    return flow


def check(launch: Launch, registry: litewf.Registry, flavor: Flavor, call: Callable[[Any], Any]) -> None:
    """Run and replay give the same."""
    seen = Seen()
    launch().run_workflow(catching(registry, flavor, seen, call))
    assert len(seen) == 2
    assert seen.as_texts() == {expected(flavor)}


def test_a_step_that_raises_it(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    step = flavor.step(registry)(nothing)
    check(launch, registry, flavor, lambda do: do(step))


def test_a_step_that_raises_it_on_every_attempt(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    seen = Seen()
    step = flavor.step(registry, max_retries=1, base_interval=0.001)(nothing)
    launch().run_workflow(catching(registry, flavor, seen, lambda do: do(step)))
    assert len(seen) == 2
    for error in seen:
        assert isinstance(error, litewf.StepRetriesExceededError)
        assert [type(attempt) for attempt in error.errors] == [RuntimeError if flavor.is_async else StopIteration] * 2


def test_a_plain_function_as_a_step_is_recorded_with_its_own_type(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    check(launch, registry, flavor, lambda do: do.run_step(nothing))


def test_a_plain_function_as_a_step_is_retried_for_its_own_type(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    attempts: list[int] = []

    @registry.step(max_retries=3, base_interval=0.001, retry_on=StopIteration)
    def first() -> int:
        attempts.append(1)
        return nothing() if len(attempts) < 3 else 5

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        return (yield do.run_step(first))

    assert launch().run_workflow(flow) == 5


def test_a_transaction_that_raises_it(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    @registry.transaction
    def first(conn: litewf.Connection) -> int:
        return next(value for (value,) in conn.execute("SELECT 1") if value > 5)

    check(launch, registry, flavor, lambda do: do(first.run_async if flavor.is_async else first))


@pytest.mark.parametrize("many", [False, True])
def test_a_child_that_ended_with_it(launch: Launch, registry: litewf.Registry, flavor: Flavor, many: bool) -> None:
    child = registry.workflow(name="child")(nothing)
    handle: Any = litewf.WorkflowHandle("c")
    engine = launch()
    engine.start_workflow(child.with_options(workflow_id="c"))
    seen = Seen()
    calls: dict[bool, Callable[[Any], Any]] = {
        False: lambda do: do.on(handle, "get_result"),
        True: lambda do: do.wait_all([handle]),
    }
    engine.run_workflow(catching(registry, flavor, seen, calls[many]))
    assert len(seen) == 2
    assert seen.as_texts() == {expected(flavor)}


def test_a_workflow_that_ends_with_it(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    workflow = registry.workflow(flavor.function(nothing))
    engine = launch()
    handle = engine.start_workflow(workflow)
    kind = RuntimeError if flavor.is_async else StopIteration
    for _ in range(2):  # whoever waits, and whoever comes when it has ended
        with pytest.raises(kind):
            handle.get_result()
    assert type(handle.as_future().exception(5)) is kind
    assert type(handle.get_status().error) is kind


@pytest.mark.parametrize("options", [{}, {"max_retries": 1, "retry_on": KeyError}])
@pytest.mark.parametrize("kind", [StopAsyncIteration, RecursionError])
def test_other_errors_of_python_itself_come_back_as_themselves(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, kind: type[Exception], options: Any
) -> None:
    @flavor.step(registry, **options)
    def fails() -> None:
        raise kind("over")

    seen = Seen()
    launch().run_workflow(catching(registry, flavor, seen, lambda do: do(fails)))
    assert [type(error) for error in seen] == [kind] * 2


@pytest.mark.parametrize("options", [{}, {"max_retries": 1, "retry_on": KeyError}])
@pytest.mark.parametrize("as_what", ["step", "function", "transaction"])
@pytest.mark.parametrize("kind", [GeneratorExit, KeyboardInterrupt])
def test_what_is_no_outcome_of_a_body_is_recorded_as_a_failure_that_says_so(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, kind: type[BaseException], as_what: str, options: Any
) -> None:
    def fails(*_: Any) -> None:
        raise kind

    step, function = flavor.step(registry, **options)(fails), registry.step(name="f", **options)(fails)
    transaction = registry.transaction("t")(fails)
    calls: dict[str, Callable[[Any], Any]] = {
        "step": lambda do: do(step),
        "function": lambda do: do.run_step(function),
        "transaction": lambda do: do(transaction.run_async if flavor.is_async else transaction),
    }
    seen = Seen()
    launch().run_workflow(catching(registry, flavor, seen, calls[as_what]))
    assert len(seen) == 2
    for error in seen:
        assert isinstance(error, litewf.UsageError)
        assert f"raised {kind.__name__}" in str(error)
        assert isinstance(error.__cause__, kind)
