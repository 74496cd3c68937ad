"""Calls that have no meaning where they are made: each is refused before it takes a number or writes anything."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

import litewf

from .support import Flavor, caught, names, plus, plus_async

Launch = Callable[..., litewf.Engine]


# --- outside ------------------------------------------------------------------------------------------------------

OUTSIDE = [
    lambda: litewf.sleep(1), lambda: litewf.sleep_async(1), litewf.now, litewf.random,
    litewf.uuid, lambda: litewf.run_step(plus, 1), lambda: litewf.run_step_async(plus, 1),
    lambda: litewf.patch("p"), lambda: litewf.deprecate_patch("p"), litewf.continue_as_new,
    lambda: litewf.wait_first([litewf.WorkflowHandle("w")]), lambda: litewf.wait_all([litewf.WorkflowHandle("w")]),
    litewf.list_workflows, lambda: litewf.retrieve_workflow("w"), lambda: litewf.cancel_workflow("w"),
    litewf.workflow_id, litewf.step_id, litewf.cancelled,
    litewf.authenticated_user, litewf.authenticated_roles,
]  # fmt: skip


@pytest.mark.parametrize("call", OUTSIDE)
def test_what_belongs_to_workflows_is_refused_outside(call: Callable[[], Any]) -> None:
    with pytest.raises(litewf.NotInWorkflowError, match="outside a workflow"):
        call()


# --- arguments ----------------------------------------------------------------------------------------------------

WRONG_ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1}), ((1, 2), {"y": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("args", "kwargs"), WRONG_ARGUMENTS)
@pytest.mark.parametrize("fn", [plus, plus_async])
def test_wrong_arguments_are_refused_before_anything_is_written(
    launch: Launch, registry: litewf.Registry, fn: Any, args: Any, kwargs: Any
) -> None:
    workflow = registry.workflow(fn)
    engine = launch()
    for start in (engine.start_workflow, engine.run_workflow):
        with pytest.raises(TypeError, match=f"workflow {fn.__name__}: "):
            start(workflow, *args, **kwargs)
    if not kwargs:
        with pytest.raises(TypeError, match=f"workflow {fn.__name__}: "):
            engine.start_workflows([(workflow, 1), (workflow, *args)])
    assert engine.list_workflows() == []


def test_wrong_arguments_for_a_child_are_an_error_that_takes_no_number(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.workflow(registry)
    def child(do: Any, x: int) -> Any:
        return (yield do(plus, x))

    kind: Any = registry.workflow(plus_async if flavor.is_async else plus)

    @flavor.workflow(registry)
    def parent(do: Any) -> Any:
        for call in (kind, lambda: litewf.start_workflow(kind, 1, 2, 3)):
            assert "TypeError: workflow plus" in caught(call)
        return (yield do.run_step(plus, 1))

    engine = launch()
    handle = engine.start_workflow(parent)
    assert handle.get_result() == 2
    assert names(engine, handle.workflow_id) == [("1", "plus")]


@pytest.mark.parametrize("thing", [plus, None, "plus", 5, object()])
def test_only_workflows_can_be_started(launch: Launch, thing: Any) -> None:
    engine = launch()
    for start in (engine.start_workflow, engine.run_workflow, lambda one: engine.start_workflows([(one,)])):
        with pytest.raises((TypeError, litewf.UsageError), match="workflow"):
            start(thing)
    assert engine.list_workflows() == []


@pytest.mark.parametrize("name", ["start_workflow", "list_workflows", "enqueue_many", "retrieve_workflow"])
@pytest.mark.parametrize("twin", ["", "_async"])
def test_a_refusal_outside_names_the_call_and_the_engines_own(name: str, twin: str) -> None:
    with pytest.raises(litewf.NotInWorkflowError, match=rf"^{name}.*\(\) was called outside.*engine\.{name}.*\("):
        getattr(litewf, name + twin)(None)


def test_a_name_is_no_workflow_to_start_but_leads_to_one(launch: Launch) -> None:
    engine = launch()
    with pytest.raises(TypeError, match=r"litewf\.WorkflowName\('elsewhere'\)"):
        engine.start_workflow(cast("Any", "elsewhere"))


def test_wait_all_takes_handles_only(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    @flavor.workflow(registry)
    def workflow(do: Any) -> Any:
        with pytest.raises(TypeError) as refused:
            yield do.wait_all([litewf.WorkflowHandle[int]("w"), None])
        return str(refused.value)

    said = launch().run_workflow(workflow)
    assert "takes handles" in said
    assert "NoneType" in said


def test_a_client_on_a_loop_names_the_async_one(launch: Launch, path: Any) -> None:
    launch()

    async def opens() -> None:
        litewf.Client(path)

    with pytest.raises(litewf.BlockingCallError, match=r"litewf\.AsyncClient\(") as refused:
        asyncio.run(opens())
    assert "Client_async" not in str(refused.value)


def test_a_step_cannot_be_started_as_a_workflow(launch: Launch, registry: litewf.Registry) -> None:
    with pytest.raises(TypeError, match=r"@workflow"):
        launch().start_workflow(cast("Any", registry.step(plus)), 1)


@pytest.mark.parametrize("thing", [None, "plus", 5])
def test_run_step_takes_functions_only(launch: Launch, registry: litewf.Registry, flavor: Flavor, thing: Any) -> None:
    @flavor.workflow(registry)
    def mistaken(do: Any) -> Any:
        return (yield do.run_step(thing))

    with pytest.raises(TypeError, match="run_step takes a function"):
        launch().run_workflow(mistaken)


@pytest.mark.parametrize(
    "duration", [-1, float("nan"), float("inf"), -1e-9, 1e300, 10**400], ids=lambda value: str(value)[:4]
)
def test_a_sleep_is_finite_and_not_negative(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, duration: float
) -> None:
    @flavor.workflow(registry)
    def sleeper(do: Any) -> Any:
        try:
            yield do.sleep(duration)
        except ValueError as error:
            return str(error)

    engine = launch()
    handle = engine.start_workflow(sleeper)
    assert "must be between 0 seconds and 100 years" in handle.get_result()
    assert engine.list_steps(handle.workflow_id) == []


@pytest.mark.parametrize("duration", ["1", True, None, [1]])
def test_a_sleep_is_a_number_or_a_timedelta(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, duration: Any
) -> None:
    @flavor.workflow(registry)
    def sleeper(do: Any) -> Any:
        yield do.sleep(duration)

    with pytest.raises(TypeError, match="seconds as a number or a timedelta"):
        launch().run_workflow(sleeper)


# --- threads and steps --------------------------------------------------------------------------------------------


def test_durable_calls_from_threads_that_a_sync_workflow_started_are_refused(
    launch: Launch, registry: litewf.Registry
) -> None:
    step = registry.step(plus)

    @registry.workflow
    def threaded() -> list[str]:
        texts: list[str] = []
        context = contextvars.copy_context()

        def work() -> None:
            texts.extend(caught(call) for call in (lambda: step(1), lambda: litewf.sleep(1), litewf.now, litewf.uuid))

        threads = [threading.Thread(target=context.run, args=(work,))]
        threads += [threading.Thread(target=lambda: texts.append(caught(lambda: litewf.sleep(1))))]
        for thread in threads:
            thread.start()
            thread.join()
        return texts

    engine = launch()
    handle = engine.start_workflow(threaded)
    *with_context, bare = handle.get_result()
    assert all(text.startswith("UsageError") and "thread" in text for text in with_context)
    assert bare.startswith("NotInWorkflowError")
    assert engine.list_steps(handle.workflow_id) == []


def test_durable_calls_from_threads_that_an_async_workflow_started_are_refused(
    launch: Launch, registry: litewf.Registry
) -> None:
    sync_step, step = registry.step(plus), registry.step(plus_async)

    @registry.workflow
    async def threaded() -> list[str]:
        calls = [lambda: sync_step(1), lambda: step(1), litewf.now, lambda: litewf.sleep_async(1)]
        return [await asyncio.to_thread(caught, call) for call in calls]

    engine = launch()
    handle = engine.start_workflow(threaded)
    for text in handle.get_result():
        assert text.startswith(("UsageError", "BlockingCallError")), text
        assert "thread" in text or "tasks" in text, text
    assert engine.list_steps(handle.workflow_id) == []


def test_durable_calls_from_a_thread_are_refused_also_while_the_workflow_itself_runs(
    launch: Launch, registry: litewf.Registry
) -> None:
    """Its task is the loop's current one, while it waits for the thread without awaiting."""
    step = registry.step(plus_async)

    @registry.workflow
    async def joining() -> list[str]:
        texts: list[str] = []
        context, calls = contextvars.copy_context(), [lambda: step(1), litewf.now, lambda: litewf.sleep_async(1)]
        thread = threading.Thread(target=lambda: texts.extend(context.run(caught, call) for call in calls))
        thread.start()
        thread.join()
        return texts

    engine = launch()
    handle = engine.start_workflow(joining)
    texts = handle.get_result()
    assert len(texts) == 3
    assert all(text.startswith("UsageError") and "outside the tasks" in text for text in texts), texts
    assert engine.list_steps(handle.workflow_id) == []


def test_a_step_body_may_not_make_durable_calls(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    child = registry.workflow(plus)

    @flavor.step(registry)
    def body() -> list[str]:
        calls: list[Any] = [
            lambda: litewf.sleep(1), lambda: litewf.sleep_async(1), litewf.now, lambda: litewf.patch("p"),
            lambda: litewf.run_step(plus, 1), lambda: litewf.start_workflow(child, 1), litewf.continue_as_new,
            lambda: litewf.wait_all([]),
        ]  # fmt: skip
        return [caught(call) for call in calls] + [caught(lambda: child(1))]

    @flavor.workflow(registry)
    def outer(do: Any) -> Any:
        return (yield do(body))

    engine = launch()
    handle = engine.start_workflow(outer)
    *texts, last = handle.get_result()
    for text in texts:
        assert text.startswith("UsageError"), text
        assert "step 1 (body)" in text, text
    assert "step 1 (body)" in last
    assert names(engine, handle.workflow_id) == [("1", "body")]


def test_a_step_in_a_step_is_a_plain_part_of_it(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    inner = registry.step(plus)

    @flavor.step(registry)
    def outer(x: int) -> int:
        return inner(x) + inner(x)

    @flavor.workflow(registry)
    def nested(do: Any) -> Any:
        return (yield do(outer, 1))

    engine = launch()
    handle = engine.start_workflow(nested)
    assert handle.get_result() == 4
    assert names(engine, handle.workflow_id) == [("1", "outer")]


def test_another_engine_inside_a_workflow_is_refused_and_names_run_step(
    launch: Launch, registry: litewf.Registry, tmp_path: Any
) -> None:
    child = registry.workflow(plus)

    @registry.workflow
    def outer() -> list[Any]:
        return [caught(lambda: other.start_workflow(child, 1)), litewf.run_step(lambda: other.run_workflow(child, 1))]

    with litewf.Engine(tmp_path / "other.db", registry=registry) as other:
        text, result = launch().run_workflow(outer)
    assert text.startswith("UsageError")
    assert "litewf.run_step(" in text
    assert result == 2


def test_an_engine_that_was_not_launched_says_so(registry: litewf.Registry, path: Any, launch: Launch) -> None:
    workflow = registry.workflow(plus)
    with pytest.raises(litewf.EngineClosedError, match="not launched"):
        litewf.Engine(path, registry=registry).start_workflow(workflow, 1)
    engine = launch()
    with pytest.raises(litewf.UsageError, match="launched already"):
        engine.launch()
    engine.shutdown()
    with pytest.raises(litewf.EngineClosedError, match="shut down"):
        engine.start_workflow(workflow, 1)
    engine.shutdown()


# --- arguments of the engine's own calls --------------------------------------------------------------------------

WRONG_CALLS: list[tuple[Any, ...]] = [
    ("retrieve_workflow", None), ("cancel_workflow", 5), ("resume_workflow", None), ("delete_workflow", None),
    ("list_steps", None), ("fork_workflow", "x", 0), ("rewind_workflow", "x", 0),
    ("update_attributes", "x", {1: 1}), ("start_workflows", [5]), ("start_workflows", None), ("enqueue_many", "q", [5]),
    ("wait_all", [None]), ("wait_all", None),
]  # fmt: skip


@pytest.mark.parametrize("call", WRONG_CALLS, ids=str)
def test_a_call_with_wrong_arguments_takes_no_number(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, call: tuple[Any, ...]
) -> None:
    name, *args = call
    step = flavor.step(registry, name="step")(lambda: None)

    @flavor.workflow(registry)
    def workflow(do: Any) -> Any:
        with pytest.raises((TypeError, ValueError, litewf.UsageError)):
            yield do.on(litewf if hasattr(litewf, name) else engine, name, *args)
        yield do(step)

    engine = launch()
    handle = engine.start_workflow(workflow)
    handle.get_result()
    assert names(engine, handle.workflow_id) == [("1", "step")]


def test_a_wrong_status_to_list_takes_no_number(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    step = flavor.step(registry, name="step")(lambda: None)

    @flavor.workflow(registry)
    def workflow(do: Any) -> Any:
        with pytest.raises(ValueError, match="there is no status 'x'"):
            yield do(getattr(litewf, "list_workflows_async" if flavor.is_async else "list_workflows"), status="x")
        yield do(step)

    engine = launch()
    handle = engine.start_workflow(workflow)
    handle.get_result()
    assert names(engine, handle.workflow_id) == [("1", "step")]
