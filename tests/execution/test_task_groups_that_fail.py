"""A task that fails has its siblings cancelled at some call of theirs; a replay finds them at the same."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import litewf

from .support import NAP, until

Launch = Callable[..., litewf.Engine]


class Steps:
    """Steps that note how often they ran, and one that fails when it is told to."""

    def __init__(self, registry: litewf.Registry) -> None:
        self.ran: list[str] = []
        self.stuck: asyncio.Event | None = None  # set when a body has begun that never ends
        steps = self

        @registry.step(name="fast")
        async def fast(which: str) -> str:
            steps.ran.append(which)
            return which

        @registry.step(name="endless")
        async def endless() -> None:
            steps.event().set()
            await asyncio.Event().wait()

        @registry.step(name="fail")
        async def fail(yields: int | None = None) -> None:
            if yields is None:
                await steps.event().wait()
            for _ in range(yields or 0):
                await asyncio.sleep(0)
            raise ValueError("no")

        self.fast, self.endless, self.fail = fast, endless, fail

    def event(self) -> asyncio.Event:
        self.stuck = self.stuck or asyncio.Event()
        return self.stuck


async def group(*branches: Any) -> str:
    outcome = "done"
    try:
        async with asyncio.TaskGroup() as tasks:
            for branch in branches:
                tasks.create_task(branch)
    except* ValueError:
        outcome = "failed"
    return outcome


@pytest.mark.parametrize("order", [1, -1])
def test_a_sibling_that_is_cancelled_in_a_body_cleans_up_once(
    launch: Launch, registry: litewf.Registry, order: int
) -> None:
    steps = Steps(registry)

    async def worker() -> None:
        try:
            for which in "abc":
                await steps.fast(which)
            await steps.endless()
        finally:
            await steps.fast("clean up")

    @registry.workflow
    async def flow() -> str:
        found = await group(*[worker(), steps.fail()][::order])
        await litewf.sleep_async(NAP)
        return found

    assert launch().run_workflow(flow) == "failed"
    assert steps.ran == ["a", "b", "c", "clean up"]


def test_a_sibling_that_is_cancelled_in_a_wait_cleans_up_once(launch: Launch, registry: litewf.Registry) -> None:
    steps = Steps(registry)

    async def worker() -> None:
        try:
            await steps.fast("a")
            steps.event().set()
            await litewf.recv_async("never")
        finally:
            await steps.fast("clean up")

    @registry.workflow
    async def flow() -> str:
        found = await group(worker(), steps.fail())
        await litewf.sleep_async(NAP)
        return found

    assert launch().run_workflow(flow) == "failed"
    assert steps.ran == ["a", "clean up"]


@pytest.mark.parametrize("yields", range(12))
def test_a_sibling_may_be_cancelled_at_any_moment_between_its_steps(
    launch: Launch, registry: litewf.Registry, yields: int
) -> None:
    """Also while the commit of a step is under way: what is recorded was answered."""
    steps = Steps(registry)
    seen: list[list[str]] = []

    async def worker(found: list[str]) -> None:
        try:
            for which in range(1000):
                found.append(await steps.fast(str(which)))
        finally:
            await steps.fast("clean up")

    @registry.workflow
    async def flow() -> str:
        found: list[str] = []
        seen.append(found)
        outcome = await group(worker(found), steps.fail(yields))
        await litewf.sleep_async(NAP)
        return outcome

    assert launch().run_workflow(flow) == "failed"
    assert seen[0] == seen[-1]
    assert len(seen) > 1
    assert steps.ran.count("clean up") == 1


def test_of_two_tasks_that_fail_the_same_is_the_first_again(launch: Launch, registry: litewf.Registry) -> None:
    steps = Steps(registry)
    failed: list[list[str]] = []

    async def worker(name: str, of: list[str], yields: int) -> None:
        try:
            await steps.fast(name)
            await steps.fail(yields)
        except ValueError:
            of.append(name)
            raise

    @registry.workflow
    async def flow() -> str:
        of: list[str] = []
        failed.append(of)
        outcome = await group(worker("slow", of, 9), worker("quick", of, 0))
        await litewf.recv_async("go")
        return outcome

    engine = launch(clock=None)  # virtual time would stand still between the two
    handle = engine.start_workflow(flow)
    until(lambda: handle.get_status().waiting_on)
    engine.send(handle.workflow_id, None, topic="go")
    assert handle.get_result() == "failed"
    assert failed[0] == failed[-1]
    assert len(failed) > 1


def test_a_gather_whose_branch_fails_goes_on_with_the_others(launch: Launch, registry: litewf.Registry) -> None:
    steps = Steps(registry)

    async def worker() -> list[str]:
        return [await steps.fast(which) for which in "abc"]

    @registry.workflow
    async def flow() -> Any:
        found = await asyncio.gather(worker(), steps.fail(0), return_exceptions=True)
        await litewf.sleep_async(NAP)
        return [str(one) for one in found]

    assert launch().run_workflow(flow) == ["['a', 'b', 'c']", "no"]
    assert steps.ran == ["a", "b", "c"]


def test_a_task_that_spins_keeps_no_other_from_its_call(launch: Launch, registry: litewf.Registry) -> None:
    steps = Steps(registry)

    @registry.workflow
    async def flow() -> str:
        done: list[str] = []

        async def spin() -> None:
            while not done:  # noqa: ASYNC110 - it spins on purpose
                await asyncio.sleep(0)

        outcome = await group(steps.fail(0))
        await litewf.sleep_async(NAP)
        spinning = asyncio.create_task(spin())
        done.append(await steps.fast("after the replay"))
        await spinning
        return outcome

    assert launch().run_workflow(flow) == "failed"


def test_a_task_that_spins_while_a_failure_is_replayed_ends(launch: Launch, registry: litewf.Registry) -> None:
    steps = Steps(registry)

    @registry.workflow
    async def flow() -> str:
        failed: list[str] = []

        async def spin() -> None:
            while not failed:  # noqa: ASYNC110 - it spins on purpose
                await asyncio.sleep(0)

        async def fail() -> None:
            try:
                await steps.fail(0)
            except ValueError as error:
                failed.append(str(error))

        await asyncio.gather(spin(), fail())
        await litewf.sleep_async(NAP)
        return failed[0]

    assert launch().run_workflow(flow) == "no"
