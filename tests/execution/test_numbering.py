"""Which number a durable call takes, and that branches replay the same whatever finished first."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import litewf
from litewf.world import World

from .support import LONG, NAP, Flavor, Gate, names

Launch = Callable[..., litewf.Engine]


class Turns:
    """Lets async bodies end in a given order; recorded ones do not run again, so a replay ends in another."""

    def __init__(self, registry: litewf.Registry) -> None:
        self.ended: list[str] = []
        self._changed = threading.Condition()
        self.step = registry.step(name="turn")(self._turn)
        self.quick = registry.step(name="quick")(self._quick)

    async def _turn(self, name: str, after: str) -> str:
        await asyncio.to_thread(self._wait_for, after)
        return self._end(name)

    async def _quick(self, name: str) -> str:
        return self._end(name)

    def _wait_for(self, name: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: name in self.ended, LONG)

    def _end(self, name: str) -> str:
        with self._changed:
            self.ended.append(name)
            self._changed.notify_all()
        return name


def test_calls_of_the_workflows_own_task_are_numbered_in_order(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.step(registry)
    def charge() -> int:
        return 5

    @flavor.workflow(registry)
    def child(do: Any) -> Any:
        return (yield do(charge))

    @flavor.workflow(registry)
    def order(do: Any) -> Any:
        yield do(charge)
        litewf.now()
        yield do.sleep(NAP)
        yield do.run_step(charge)
        handle = yield do.start_workflow(child)
        yield do.on(handle, "get_result")
        yield do(child)
        litewf.uuid()
        return (yield do(charge))

    engine = launch()
    handle = engine.start_workflow(order.with_options(workflow_id="o"))
    assert handle.get_result() == 5
    assert names(engine, "o") == [
        ("1", "charge"), ("2", "litewf.now"), ("3", "litewf.sleep"), ("4", "charge"), ("5", "litewf.start:child"),
        ("6", "litewf.get_result"), ("7", "litewf.start:child"), ("8", "litewf.get_result"), ("9", "litewf.uuid"),
        ("10", "charge"),
    ]  # fmt: skip
    children = [step.child_workflow_id for step in engine.list_steps("o") if step.child_workflow_id]
    assert children == ["o~5", "o~7"]


def test_the_step_body_knows_its_number(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    @flavor.step(registry)
    def where() -> tuple[str | None, str]:
        return litewf.step_id(), litewf.idempotency_key()

    @flavor.workflow(registry)
    def two(do: Any) -> Any:
        return [(yield do(where)), (yield do(where)), litewf.step_id()]

    handle = launch().start_workflow(two.with_options(workflow_id="w"))
    assert handle.get_result() == [("1", "w:1"), ("2", "w:2"), None]


def test_a_gather_of_two_step_branches_replays_the_same_whatever_finished_first(
    launch: Launch, registry: litewf.Registry
) -> None:
    turns = Turns(registry)

    async def slow() -> list[str]:
        return [await turns.step("a1", after="b2"), await turns.quick("a2")]

    async def fast() -> list[str]:
        return [await turns.quick("b1"), await turns.quick("b2")]

    @registry.workflow
    async def both() -> Any:
        before = await turns.quick("first")
        found = await asyncio.gather(slow(), fast())
        await litewf.sleep_async(NAP)
        return [before, *found, await turns.quick("last")]

    engine = launch()
    handle = engine.start_workflow(both.with_options(workflow_id="w"))
    assert handle.get_result() == ["first", ["a1", "a2"], ["b1", "b2"], "last"]
    assert turns.ended == ["first", "b1", "b2", "a1", "a2", "last"]
    assert names(engine, "w") == [
        ("1", "quick"), ("2.1", "turn"), ("2.2", "quick"), ("3.1", "quick"), ("3.2", "quick"), ("4", "litewf.sleep"),
        ("5", "quick"),
    ]  # fmt: skip


def test_a_task_group_and_tasks_within_tasks_replay_the_same(launch: Launch, registry: litewf.Registry) -> None:
    turns = Turns(registry)

    async def leaf(name: str, after: str) -> str:
        return await turns.step(name, after=after)

    async def inner() -> list[str]:
        await turns.quick("i1")
        tasks = [asyncio.create_task(leaf("x", "y")), asyncio.create_task(leaf("y", "o1"))]
        return [await turns.quick("i3"), *[await task for task in tasks]]

    async def other() -> str:
        await turns.quick("o1")
        await litewf.sleep_async(NAP)
        return await turns.quick("o3")

    @registry.workflow
    async def grouped() -> Any:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(inner()), group.create_task(other())]
        await litewf.sleep_async(NAP)
        return [task.result() for task in tasks]

    engine = launch()
    handle = engine.start_workflow(grouped.with_options(workflow_id="w"))
    assert handle.get_result() == [["i3", "x", "y"], "o3"]
    assert sorted(turns.ended) == ["i1", "i3", "o1", "o3", "x", "y"]
    assert names(engine, "w") == [
        ("1.1", "quick"), ("1.2.1", "turn"), ("1.3.1", "turn"), ("1.4", "quick"), ("2.1", "quick"),
        ("2.2", "litewf.sleep"), ("2.3", "quick"), ("3", "litewf.sleep"),
    ]  # fmt: skip


def test_durable_calls_that_are_gathered_take_plain_numbers(launch: Launch, registry: litewf.Registry) -> None:
    turns = Turns(registry)

    @registry.workflow
    async def many() -> Any:
        found = await asyncio.gather(turns.step("a", after="b"), turns.step("b", after="c"), turns.quick("c"))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(turns.step("d", after="e")), group.create_task(turns.quick("e"))]
        await litewf.sleep_async(NAP)
        return [*found, *[task.result() for task in tasks]]

    engine = launch()
    handle = engine.start_workflow(many.with_options(workflow_id="w"))
    assert handle.get_result() == ["a", "b", "c", "d", "e"]
    assert turns.ended == ["c", "b", "a", "e", "d"]
    assert [number for number, _ in names(engine, "w")] == ["1", "2", "3", "4", "5", "6"]


def test_branches_that_sleep_for_different_times_park_together_and_go_on_apart(
    launch: Launch, registry: litewf.Registry
) -> None:
    turns = Turns(registry)

    async def sleeper(name: str, seconds: float) -> str:
        await litewf.sleep_async(seconds)
        await turns.quick(f"{name}1")
        await litewf.sleep_async(seconds)
        return await turns.quick(f"{name}2")

    @registry.workflow
    async def sleepers() -> Any:
        return await asyncio.gather(sleeper("a", 0.03), sleeper("b", 0.01), sleeper("c", 0))

    engine = launch()
    handle = engine.start_workflow(sleepers)
    assert handle.get_result() == ["a2", "b2", "c2"]
    assert sorted(turns.ended) == ["a1", "a2", "b1", "b2", "c1", "c2"]
    assert turns.ended.index("b1") < turns.ended.index("a1")


def test_branches_go_on_in_a_fresh_engine_where_they_stopped(launch: Launch, registry: litewf.Registry) -> None:
    turns, gate = Turns(registry), Gate()

    @registry.step(name="stuck")
    async def stuck() -> str:
        await asyncio.to_thread(gate.wait)
        return "free"

    async def done() -> list[str]:
        return [await turns.quick("a1"), await turns.quick("a2")]

    async def halfway() -> list[str]:
        return [await turns.quick("b1"), await stuck(), await turns.quick("b3")]

    @registry.workflow
    async def both() -> Any:
        return await asyncio.gather(done(), halfway())

    first = launch()
    first.start_workflow(both.with_options(workflow_id="w"))
    gate.await_reached()
    turns._wait_for("a2")
    first.shutdown(timeout=0)
    gate.open()
    second = launch()
    assert second.retrieve_workflow("w").get_result() == [["a1", "a2"], ["b1", "free", "b3"]]
    assert sorted(turns.ended) == ["a1", "a2", "b1", "b3"]


def test_a_replayed_call_yields_to_the_loop_once(launch: Launch, registry: litewf.Registry) -> None:
    seen: list[str] = []

    @registry.step
    async def nothing() -> None:
        pass

    async def branch(name: str) -> None:
        for _ in range(3):
            await nothing()
            seen.append(name)

    @registry.workflow
    async def both() -> None:
        await asyncio.gather(branch("a"), branch("b"))
        await litewf.sleep_async(NAP)

    launch().run_workflow(both)
    assert seen[6:] == ["a", "b"] * 3


def test_a_child_that_a_task_runs_takes_its_numbers_when_it_is_called(
    launch: Launch, registry: litewf.Registry
) -> None:
    @registry.step
    async def nothing() -> None:
        pass

    @registry.workflow(name="child")
    async def child(x: int) -> int:
        await nothing()
        return x

    @registry.workflow
    async def parent() -> Any:
        task = asyncio.create_task(child(1))
        for _ in range(5):
            await nothing()
        other = asyncio.gather(child(2), child(3))
        await litewf.sleep_async(NAP)
        return [await task, *await other]

    engine = launch()
    handle = engine.start_workflow(parent.with_options(workflow_id="w"))
    assert handle.get_result() == [1, 2, 3]
    numbered = dict(names(engine, "w"))
    assert [number for number, name in numbered.items() if name == "litewf.start:child"] == ["1", "8", "10"]
    assert [number for number, name in numbered.items() if name == "litewf.get_result"] == ["2", "9", "11"]


def test_a_child_that_is_run_and_awaited_later_took_its_numbers_when_it_was_called(
    launch: Launch, registry: litewf.Registry
) -> None:
    @registry.step
    async def plus(number: int) -> int:
        return number + 1

    @registry.workflow
    async def child(number: int) -> int:
        return number

    @registry.workflow
    async def parent() -> list[int]:
        first = litewf.run_workflow_async(child, 10)
        step = plus(1)
        second = litewf.run_workflow_async(child, 20)
        return [await step, *await asyncio.gather(second, first)]

    engine = launch()
    handle = engine.start_workflow(parent)
    assert handle.get_result() == [2, 20, 10]
    found = {step.step_id: step.child_workflow_id or step.name for step in engine.list_steps(handle.workflow_id)}
    parent_id = handle.workflow_id
    assert found == {
        "1": f"{parent_id}~1", "2": "litewf.get_result", "3": plus.name, "4": f"{parent_id}~4", "5": "litewf.get_result",
    }  # fmt: skip


def test_a_value_of_another_branch_is_durable_before_a_body_starts(launch: Launch, registry: litewf.Registry) -> None:
    """The branch that begins to write it must not let the others run ahead of the commit."""
    started = threading.Event()
    commits: list[str] = []
    seen: list[list[str]] = []

    def reach(point: str) -> None:
        if point == "commit.before":
            commits.append(point)
            if len(commits) > 2:  # beyond the engine's own row and the start: the commit with the value
                started.wait(0.2)  # in vain, unless a body runs too early

    @registry.step(name="body")
    async def body() -> None:
        found = await engine.list_steps_async("w")
        seen.append([step.name for step in found][:1])
        started.set()

    async def branch() -> None:
        await body()

    @registry.workflow
    async def both() -> None:
        litewf.uuid()
        await asyncio.gather(branch(), branch())

    engine = launch(world=World(reach=reach))
    engine.run_workflow(both.with_options(workflow_id="w"))
    assert seen == [["litewf.uuid"], ["litewf.uuid"]]


def test_queues_between_branches_work_while_others_wait(launch: Launch, registry: litewf.Registry) -> None:
    """A branch that waits for another one, and not for a durable call, leaves memory with it and comes back."""

    @registry.step
    async def double(x: int) -> int:
        return 2 * x

    async def produce(queue: asyncio.Queue[int | None]) -> None:
        for x in range(3):
            await litewf.sleep_async(NAP)
            queue.put_nowait(await double(x))
        queue.put_nowait(None)

    @registry.workflow
    async def consume() -> list[int]:
        queue: asyncio.Queue[int | None] = asyncio.Queue()
        task = asyncio.create_task(produce(queue))
        found = []
        while (item := await queue.get()) is not None:
            found.append(await double(item))
        await task
        return found

    assert launch().run_workflow(consume) == [0, 4, 8]
