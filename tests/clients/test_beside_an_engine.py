"""An AsyncClient beside an engine in another process: each hears of what the other writes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import litewf
from tests.clients import program
from tests.clients.processes import ENGINE, Child, Spawn

PATIENCE_S = 30.0


@pytest.fixture
def ledger(path: Path) -> str:
    return f"{path}.ledger"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file with an engine on it in another process."""
    path = tmp_path_factory.mktemp("served") / "flows.db"
    engine = Child(ENGINE, path)
    assert engine.hear() == "up"
    yield path
    engine.close()


def beside(path: Path, talk: Any) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(PATIENCE_S), litewf.AsyncClient(path, registry=program.registry) as client:
            return await talk(client)

    return asyncio.run(main())


def test_it_starts_workflows_and_gets_their_results(served: Path, ledger: str) -> None:
    async def talk(client: litewf.AsyncClient) -> list[int]:
        assert await client.run_workflow(program.job, ledger, 1) == 2
        handles = await client.enqueue_many("work", [(program.job, ledger, n) for n in range(20)])
        handles.append(await client.enqueue("work", "job", ledger, 20))
        return await asyncio.gather(*(handle.get_result() for handle in handles))

    assert beside(served, talk) == [2 * n for n in range(21)]
    assert sorted(int(line.split()[1]) for line in program.noted(Path(ledger))) == [0, 1, *range(1, 21)]


def test_it_talks_with_a_workflow(served: Path) -> None:
    """Each answer is waited for before the next message goes."""

    async def talk(client: litewf.AsyncClient) -> Any:
        handle = await client.start_workflow(program.echo, 5)
        seen: list[Any] = []
        stream = client.read_stream(handle.workflow_id, "all")
        for n in range(5):
            await client.send(handle.workflow_id, {"n": n}, "in", idempotency_key=str(n))
            seen.append(await anext(stream))
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        return seen, await client.get_event(handle.workflow_id, "latest"), await handle.get_result()

    messages = [{"n": n} for n in range(5)]
    assert beside(served, talk) == (messages, {"n": 4}, messages)


def test_it_waits_for_an_event_that_is_yet_to_come(served: Path) -> None:
    async def talk(client: litewf.AsyncClient) -> Any:
        handle = await client.start_workflow(program.echo, 1)
        waiting = [asyncio.create_task(client.get_event(handle.workflow_id, "latest")) for _ in range(3)]
        await client.list_workflows()  # meanwhile they begin to wait
        await client.send(handle.workflow_id, "here", "in")
        return await asyncio.gather(*waiting)

    assert beside(served, talk) == ["here"] * 3


def test_a_failure_comes_as_its_own_type(served: Path) -> None:
    async def talk(client: litewf.AsyncClient) -> None:
        with pytest.raises(ValueError, match="no luck"):
            await client.run_workflow(program.fails)

    beside(served, talk)


def test_a_handle_calls_back_on_the_loop(served: Path, ledger: str) -> None:
    async def talk(client: litewf.AsyncClient) -> Any:
        called: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        handle = await client.start_workflow(program.job, ledger, 4)
        handle.add_done_callback(called.set_result)
        future = handle.as_future()
        assert await called == handle
        return await future

    assert beside(served, talk) == 8


def test_a_handle_goes_into_a_workflow_as_a_plain_one(served: Path, ledger: str) -> None:
    async def talk(client: litewf.AsyncClient) -> int:
        handle = await client.start_workflow(program.job, ledger, 4)
        with pytest.raises(litewf.SerializationError, match=r"pass litewf.WorkflowHandle\(handle.workflow_id\)"):
            await client.start_workflow(program.follows, handle)
        return await client.run_workflow(program.follows, litewf.WorkflowHandle(handle.workflow_id))

    assert beside(served, talk) == 8


def test_two_clients_of_one_process_hear_of_each_other(path: Path, registry: litewf.Registry) -> None:
    """They are to each other what another process is."""
    with litewf.Engine(path, registry=registry):
        pass

    async def main() -> None:
        async with asyncio.timeout(PATIENCE_S), litewf.AsyncClient(path) as one, litewf.AsyncClient(path) as other:
            handle = await one.enqueue("nobody", "serves this")
            waiting = asyncio.create_task(handle.get_result())
            await one.list_workflows()  # meanwhile it begins to wait
            await other.cancel_workflow(handle.workflow_id)
            with pytest.raises(litewf.WorkflowCancelledError):
                await waiting

    asyncio.run(main())


def test_while_nobody_waits_nothing_runs_on_the_loop(served: Path) -> None:
    """Only who waits has somebody look for the commits of others."""

    async def home() -> None:
        """Wait until every other task has ended; one that never does is cut short by the test's patience."""
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)

    async def talk(client: litewf.AsyncClient) -> None:
        handle = await client.start_workflow(program.echo, 1)
        await home()
        waiting = asyncio.create_task(handle.get_result())
        while len(asyncio.all_tasks()) == 2:  # until it waits, and somebody looks for it
            await client.list_workflows()
        await client.send(handle.workflow_id, "x", "in")
        await waiting
        await home()

    beside(served, talk)


HOG = """
def hold(conn):
    say("mine")
    hear()
with litewf.Client(path) as client:
    client.transact(hold)
"""


def test_a_timeout_is_kept_while_another_process_keeps_its_turn(path: Path, spawn: Spawn) -> None:
    """A write has to wait for its turn; who waits for something else, or asks, must not wait for that write."""
    with litewf.Engine(path, registry=program.registry):
        pass

    async def talk(client: litewf.AsyncClient) -> None:
        handle = await client.enqueue("nobody", "serves this")
        hog = await asyncio.to_thread(spawn, HOG)
        assert await asyncio.to_thread(hog.hear) == "mine"
        sending = asyncio.create_task(client.send(handle.workflow_id, 1))
        try:
            with pytest.raises(litewf.WaitTimeoutError):
                await handle.get_result(timeout=0.05)
            assert await client.query("SELECT count(*) FROM message") == [(0,)]
            assert not sending.done()
        finally:
            hog.say()
        await sending

    beside(path, talk)


KILLED = """
async def main():
    async with litewf.AsyncClient(path, registry=program.registry) as client:
        async def work(lane):
            n = 0
            while True:
                await client.start_workflow(program.job.with_options(workflow_id=f"{lane}-{n}"), sys.argv[2], n)
                say(f"{lane}-{n}")
                n += 1
        await asyncio.gather(*(work(lane) for lane in "abcdefgh"))
asyncio.run(main())
"""


def test_what_a_killed_client_was_told_is_in_the_file(path: Path, ledger: str, spawn: Spawn) -> None:
    assert spawn(ENGINE).hear() == "up"
    child = spawn(KILLED, [ledger])
    told = [child.hear() for _ in range(200)]
    child.kill()
    assert child.popen.stdout is not None
    told += [line.strip() for line in child.popen.stdout if line.endswith("\n")]

    async def talk(client: litewf.AsyncClient) -> list[str]:
        found = await client.list_workflows()
        await asyncio.gather(*[(await client.retrieve_workflow(one.workflow_id)).get_result() for one in found])
        return [one.workflow_id for one in found]

    found = beside(path, talk)
    assert set(told) <= set(found)
    ran = [line.split()[0] for line in program.noted(Path(ledger))]
    assert sorted(ran) == sorted(found)  # each body once
