"""An engine is a guest in its program: it comes and goes without a trace, and shares the process with others."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from traces import descriptors, settled, threads

import litewf
from litewf.world import World


def test_engines_that_start_and_stop_200_times_leave_nothing_behind(path: Path, registry: litewf.Registry) -> None:
    @registry.step
    def double(number: int) -> int:
        return 2 * number

    @registry.workflow
    def flow() -> int:
        return double(1)

    @registry.workflow
    async def async_flow() -> int:
        await litewf.sleep_async(0)
        return 3

    def once() -> None:
        with litewf.Engine(path, registry=registry) as engine:
            assert engine.run_workflow(flow) == 2
            assert engine.run_workflow(async_flow) == 3
            engine.list_workflows(limit=1)
            engine.transact(lambda connection: connection.execute("CREATE TABLE IF NOT EXISTS mine (x)"))

    once()
    before = descriptors()
    for _ in range(200):
        once()
    assert settled(threads, set())
    assert descriptors() == before
    assert {file.name for file in path.parent.iterdir()} == {
        f"{path.name}{suffix}" for suffix in ("", "-next", "-turn")
    }


def test_engines_of_asyncio_programs_leave_nothing_behind(path: Path, registry: litewf.Registry) -> None:
    @registry.workflow
    async def flow() -> int:
        await litewf.sleep_async(0)
        return 3

    async def once() -> None:
        factory = asyncio.get_running_loop().get_task_factory()
        async with litewf.Engine(path, registry=registry) as engine:
            assert await engine.run_workflow_async(flow) == 3
        assert asyncio.get_running_loop().get_task_factory() is factory
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(once())
    before = descriptors()
    for _ in range(30):
        asyncio.run(once())
    assert settled(threads, set())
    assert descriptors() == before


def test_one_engine_can_be_launched_again_and_again(path: Path, registry: litewf.Registry) -> None:
    @registry.workflow
    def flow() -> str:
        return "done"

    engine = litewf.Engine(path, registry=registry)
    for _ in range(5):
        with engine:
            assert engine.run_workflow(flow) == "done"
    engine.launch()
    with pytest.raises(litewf.UsageError, match="launched already"):
        engine.launch()
    assert engine.run_workflow(flow) == "done"
    engine.shutdown()


def test_two_engines_on_two_files_know_nothing_of_each_other(tmp_path: Path, registry: litewf.Registry) -> None:
    @registry.workflow
    def flow() -> str:
        return "done"

    with (
        litewf.Engine(tmp_path / "a.db", registry=registry) as a,
        litewf.Engine(tmp_path / "b.db", registry=registry) as b,
    ):
        handle = a.start_workflow(flow.with_options(workflow_id="same"))
        other = b.start_workflow(flow.with_options(workflow_id="same"))
        assert (handle.get_result(), other.get_result()) == ("done", "done")
        a.delete_workflow("same")
        assert [flow.workflow_id for flow in b.list_workflows()] == ["same"]
        assert a.list_workflows() == []


def test_two_engines_on_one_file_in_one_process_share_the_work(path: Path, registry: litewf.Registry) -> None:
    bodies: list[int] = []

    @registry.step
    def body(number: int) -> int:
        bodies.append(number)
        return number

    @registry.workflow
    def flow(number: int) -> int:
        return body(number)

    with litewf.Engine(path, registry=registry) as a, litewf.Engine(path, registry=registry) as b:
        handles = [(a, b)[number % 2].start_workflow(flow, number) for number in range(40)]
        ids = [handle.workflow_id for handle in handles]
        assert [b.retrieve_workflow(one).get_result(timeout=20) for one in ids] == list(range(40))
        assert [a.retrieve_workflow(one).get_result(timeout=20) for one in ids] == list(range(40))
    assert sorted(bodies) == list(range(40))


def test_the_work_of_an_engine_that_shuts_down_goes_on_in_the_other_one_of_its_process(
    path: Path, registry: litewf.Registry
) -> None:
    @registry.workflow
    def asleep() -> str:
        litewf.sleep(0.1)
        return "awake"

    a = litewf.Engine(path, registry=registry)
    a.launch()
    with litewf.Engine(path, registry=registry) as b:
        handle = a.start_workflow(asleep)
        a.shutdown()
        result = b.retrieve_workflow(handle.workflow_id)
        assert result.get_result(timeout=20) == "awake"
        assert result.get_status().attempts == 1


def test_a_launch_that_fails_leaves_nothing_behind_and_can_be_repeated(
    path: Path, registry: litewf.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = litewf.Engine(path, registry=registry)
    with litewf.Engine(path, registry=registry):
        pass
    before, start = descriptors(), threading.Thread.start
    for failing in ("litewf-writer", "litewf-dispatcher"):

        def refuse(self: threading.Thread, failing: str = failing) -> None:
            if self.name == failing:
                raise RuntimeError("can't start new thread")
            start(self)

        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            with pytest.raises(RuntimeError, match="new thread"):
                engine.launch()
        assert settled(threads, set())
        assert descriptors() == before
        assert not [file for file in path.parent.iterdir() if "-lock-" in file.name]
    with engine:
        assert engine.list_workflows() == []


def test_a_launch_that_is_cancelled_leaves_nothing_behind_and_can_be_repeated(
    path: Path, registry: litewf.Registry
) -> None:
    launching: list[asyncio.Task[None]] = []

    def cancel(point: str) -> None:
        """Once, from the thread that builds the engine, which goes on only when nobody waits for it any more."""
        if point == "commit.before" and launching:
            task, over = launching.pop(), threading.Event()
            task.add_done_callback(lambda _: over.set())
            task.get_loop().call_soon_threadsafe(task.cancel)
            assert over.wait(20)

    async def main() -> None:
        engine = litewf.Engine(path, registry=registry, world=World(reach=cancel))
        task = asyncio.create_task(engine.launch_async())
        launching.append(task)
        await asyncio.wait([task])
        assert task.cancelled()
        assert await asyncio.to_thread(settled, lambda: list(path.parent.glob("*-lock-*")), [])
        assert await asyncio.to_thread(settled, threads, set())
        async with engine:
            assert await engine.query_async("SELECT count(*) FROM executor") == [(1,)]

    asyncio.run(main())


def test_a_launch_that_is_cancelled_just_when_it_is_built_leaves_nothing_behind(
    path: Path, registry: litewf.Registry
) -> None:
    async def main() -> None:
        with ThreadPoolExecutor(1) as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            task = asyncio.create_task(litewf.Engine(path, registry=registry).launch_async())
            await asyncio.sleep(0)
            executor.submit(lambda: None).result(20)  # comes after it; until then this loop stands
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        assert settled(threads, set())

    asyncio.run(main())
    assert not [file for file in path.parent.iterdir() if "-lock-" in file.name]


def test_a_shutdown_that_is_cancelled_before_a_thread_has_begun_it_ends_the_engine_all_the_same(
    path: Path, registry: litewf.Registry
) -> None:
    free = threading.Event()

    async def main() -> None:
        engine = litewf.Engine(path, registry=registry)
        await engine.launch_async()
        with ThreadPoolExecutor(1) as executor:
            asyncio.get_running_loop().set_default_executor(executor)
            executor.submit(free.wait, 20)
            task = asyncio.create_task(engine.shutdown_async())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            free.set()
        assert settled(threads, set())

    asyncio.run(main())
    assert not [file for file in path.parent.iterdir() if "-lock-" in file.name]
