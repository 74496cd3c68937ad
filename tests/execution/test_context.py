"""Values that replay, what a workflow and a step know of themselves, and a logger that says nothing twice."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

import litewf
from litewf.testing import START

from .support import NAP, Flavor, Gate, names

Launch = Callable[..., litewf.Engine]


def test_now_random_and_uuid_are_the_same_in_every_replay(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    seen = []

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        values = [litewf.now(), litewf.random(), litewf.uuid(), litewf.now()]
        yield do.sleep(NAP)
        values.append(litewf.now())
        seen.append(values)
        yield do.sleep(NAP)
        return values

    engine = launch()
    handle = engine.start_workflow(flow.with_options(workflow_id="w"))
    values = handle.get_result()
    assert len(seen) == 2
    assert seen == [values, values]
    assert [type(value) for value in values] == [datetime, float, UUID, datetime, datetime]
    assert values[0].tzinfo is UTC
    assert values[0] == START
    assert 0 <= values[1] < 1
    assert values[2].version == 4
    assert (values[4] - values[3]).total_seconds() == pytest.approx(NAP)
    assert names(engine, "w")[:4] == [
        ("1", "litewf.now"), ("2", "litewf.random"), ("3", "litewf.uuid"), ("4", "litewf.now"),
    ]  # fmt: skip


def test_values_survive_the_end_of_the_process_once_a_body_has_started(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    gate, keys = Gate(), []

    @registry.step
    def charge(key: UUID) -> UUID:
        keys.append(key)
        if len(keys) == 1:
            gate.wait()
        return key

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        key = litewf.uuid()
        return (yield do.run_step(charge, key)) == key

    first = launch()
    first.start_workflow(flow.with_options(workflow_id="w"))
    gate.await_reached()
    first.shutdown(timeout=0)
    gate.open()
    assert launch().retrieve_workflow("w").get_result() is True
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_values_of_a_step_body_are_refused(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    @flavor.step(registry)
    def body() -> datetime:
        return litewf.now()

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do(body)

    with pytest.raises(litewf.UsageError, match=r"now\(\) was called inside step 1"):
        launch().run_workflow(flow)


def test_the_context_tells_who_runs(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    def context() -> tuple[Any, ...]:
        return (
            litewf.workflow_id(), litewf.step_id(), litewf.attempt(), litewf.is_replaying(), litewf.cancelled(),
            litewf.authenticated_user(), litewf.authenticated_roles(),
        )  # fmt: skip

    step = flavor.step(registry, name="s")(context)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        return context(), (yield do(step)), (yield do.run_step(context))

    wanted = flow.with_options(workflow_id="w", authenticated_user="ann", authenticated_roles=("a", "b"))
    who = ("ann", ("a", "b"))
    assert launch().run_workflow(wanted) == (
        ("w", None, 1, False, False, *who), ("w", "1", 1, False, False, *who), ("w", "2", 1, False, False, *who),
    )  # fmt: skip


def test_the_user_and_the_roles_survive_parking_and_pass_to_children(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.workflow(registry)
    def child(do: Any) -> Any:
        yield do.sleep(NAP)
        return litewf.authenticated_user(), litewf.authenticated_roles()

    @flavor.workflow(registry)
    def parent(do: Any) -> Any:
        yield do.sleep(NAP)
        handle = yield do.start_workflow(child.with_options(authenticated_user="bob"))
        return [(yield do(child)), (yield do.on(handle, "get_result"))]

    wanted = parent.with_options(authenticated_user="ann", authenticated_roles=["x"])
    assert launch().run_workflow(wanted) == [("ann", ("x",)), ("bob", ("x",))]


def test_the_idempotency_key_belongs_to_one_step(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        found = [(yield do.run_step(litewf.idempotency_key)), (yield do.run_step(litewf.idempotency_key))]
        try:
            litewf.idempotency_key()
        except litewf.UsageError as error:
            found.append(str(error))
        return found

    first, second, refusal = launch().run_workflow(flow.with_options(workflow_id="w"))
    assert (first, second) == ("w:1", "w:2")
    assert "belongs to a step" in refusal


def test_is_replaying_is_true_until_the_first_new_call(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    seen: list[list[bool]] = []
    nothing = flavor.step(registry, name="nothing")(lambda: None)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        mine = [litewf.is_replaying()]
        seen.append(mine)
        yield do(nothing)
        mine.append(litewf.is_replaying())
        yield do.sleep(NAP)
        mine.append(litewf.is_replaying())
        yield do(nothing)
        mine.append(litewf.is_replaying())

    launch().run_workflow(flow)
    assert seen == [[False, False], [True, True, False, False]]


def test_the_logger_is_silent_while_replaying_and_names_the_workflow(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "litewf.workflow")

    @flavor.step(registry)
    def body() -> None:
        litewf.logger.info("in the body")

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        litewf.logger.info("began with %d", 5)
        yield do(body)
        yield do.sleep(NAP)
        litewf.logger.info("woke", extra={"more": 1})
        yield do.sleep(NAP)
        litewf.logger.warning("ends")

    launch().run_workflow(flow.with_options(workflow_id="w"))
    litewf.logger.info("outside")
    records = [record for record in caplog.records if record.name == "litewf.workflow"]
    assert [record.getMessage() for record in records] == [
        "[w] began with 5", "[w 1] in the body", "[w] woke", "[w] ends", "outside",
    ]  # fmt: skip
    assert [(record.workflow_id, record.step_id) for record in records[:2]] == [("w", None), ("w", "1")]  # type: ignore[attr-defined]  # the extras
    assert records[2].more == 1  # type: ignore[attr-defined]  # as above


def test_branches_that_replay_log_nothing_twice(
    launch: Launch, registry: litewf.Registry, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "litewf.workflow")

    @registry.step(name="nothing")
    async def nothing() -> None:
        pass

    async def branch(name: str, seconds: float) -> None:
        await nothing()
        litewf.logger.info("%s before", name)
        await litewf.sleep_async(seconds)
        litewf.logger.info("%s after", name)
        await nothing()

    @registry.workflow
    async def flow() -> None:
        await asyncio.gather(branch("a", 10), branch("b", 20))
        litewf.logger.info("joined")
        await litewf.sleep_async(NAP)

    launch().run_workflow(flow)
    messages = [record.getMessage().partition("] ")[2] for record in caplog.records if record.name == "litewf.workflow"]
    assert sorted(messages) == ["a after", "a before", "b after", "b before", "joined"]


def test_cancelled_tells_a_long_body_to_end_early(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    gate, seen = Gate(), []

    @registry.step
    def long() -> str:
        seen.append(litewf.cancelled())
        gate.wait()
        seen.append(litewf.cancelled())
        return "early"

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        return (yield do.run_step(long))

    engine = launch()
    handle = engine.start_workflow(flow)
    gate.await_reached()
    handle.cancel()
    gate.open()
    with pytest.raises(litewf.WorkflowCancelledError):
        handle.get_result()
    engine.shutdown()
    assert seen == [False, True]
