"""The life of an AsyncClient: opened when it is needed, refused where it would do harm, closed without a trace."""

import asyncio
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import apsw
import pytest

import litewf
from litewf.store.async_store import Carrier, here
from litewf.store.standard import open_reader


@pytest.fixture
def path(path: Path) -> Path:
    """A file that is there, as a client does not make one."""
    with litewf.Engine(path, registry=litewf.Registry()):
        pass
    return path


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(main)


def beside(path: Path) -> dict[str, str]:
    """The files of a database, by what is in them; the -shm is SQLite's scratch."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.exists()}


# --- opening and closing ------------------------------------------------------------------------------------------


def test_it_opens_the_file_at_the_first_call_however_many_come_at_once(path: Path, registry: litewf.Registry) -> None:
    async def main() -> list[Any]:
        client = litewf.AsyncClient(path, registry=registry)
        found = await asyncio.gather(*(client.query("SELECT 1") for _ in range(20)))
        await client.close()
        return found

    assert run(main()) == [[(1,)]] * 20


def test_a_closed_client_says_so(path: Path, registry: litewf.Registry) -> None:
    async def main() -> None:
        async with litewf.AsyncClient(path, registry=registry) as client:
            pass
        await client.close()  # once more
        with pytest.raises(litewf.EngineClosedError, match="is closed"):
            await client.list_workflows()

    run(main())


def test_a_client_that_was_never_used_can_be_closed(path: Path) -> None:
    run(litewf.AsyncClient(path).close())


def test_a_close_that_is_cancelled_can_be_repeated(path: Path, registry: litewf.Registry) -> None:
    async def main() -> None:
        client = litewf.AsyncClient(path, registry=registry)
        first = asyncio.create_task(client.query("SELECT 1"))
        await asyncio.sleep(0)  # it opens the file
        closing = asyncio.create_task(client.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(first, closing, return_exceptions=True)
        assert closing.cancelled()
        await client.close()

    run(main())
    litewf.Client(path).close()  # which a file that is open would refuse


def test_a_close_has_nothing_to_say_of_an_opening_that_failed(tmp_path: Path) -> None:
    async def main() -> None:
        client = litewf.AsyncClient(tmp_path / "gone.db")
        first = asyncio.create_task(client.query("SELECT 1"))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(litewf.StoreError, match="does not exist"):
            await first

    run(main())


def test_closing_tells_those_who_wait(path: Path, registry: litewf.Registry) -> None:
    async def main() -> None:
        client = litewf.AsyncClient(path, registry=registry)
        handle = await client.enqueue("nobody", "serves this")
        waiting = [asyncio.create_task(handle.get_result()) for _ in range(3)]
        await asyncio.gather(*(client.query("SELECT 1") for _ in range(10)))  # meanwhile they begin to wait
        await client.close()
        for task in waiting:
            with pytest.raises(litewf.EngineClosedError):
                await task

    run(main())


@pytest.mark.parametrize("turns", range(8))
def test_a_question_that_meets_the_close_is_answered_or_told_that_it_is_closed(path: Path, turns: int) -> None:
    """Whichever moment it comes at: never the error of a connection that is closed under it."""

    async def main() -> None:
        reader = Carrier(path, lambda: open_reader(path))
        assert await reader.carry(one) == 1
        closing = asyncio.create_task(reader.close())
        for _ in range(turns):
            await asyncio.sleep(0)
        asked = await asyncio.gather(*(reader.carry(one) for _ in range(3)), return_exceptions=True)
        await closing
        assert all(answer == 1 or isinstance(answer, litewf.EngineClosedError) for answer in asked), asked

    def one() -> object:
        return here().execute("SELECT 1").get

    run(main())


def test_a_forgotten_client_ends_with_its_loop_and_keeps_no_program_from_exiting(path: Path) -> None:
    code = """
import asyncio, sys, litewf
client = litewf.AsyncClient(sys.argv[1], registry=litewf.Registry())
async def main():
    print(await client.query("SELECT 1"))
asyncio.run(main())
try:
    asyncio.run(main())
except litewf.EngineClosedError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code, str(path)], capture_output=True, text=True,
                          timeout=60, check=True)  # fmt: skip
    assert done.stdout.startswith("[(1,)]\n")
    assert "closed with its loop" in done.stdout
    assert "ResourceWarning" not in done.stderr


def test_what_was_called_before_the_close_is_written(path: Path, registry: litewf.Registry) -> None:
    async def main() -> list[Any]:
        client = litewf.AsyncClient(path, registry=registry)
        await client.query("SELECT 1")
        calls = [asyncio.create_task(client.enqueue("q", "flow")) for _ in range(10)]
        await asyncio.sleep(0)  # each has begun
        await client.close()
        return await asyncio.gather(*calls, return_exceptions=True)

    answers = run(main())
    done = [answer for answer in answers if isinstance(answer, litewf.AsyncWorkflowHandle)]
    assert len(done) + sum(isinstance(answer, litewf.EngineClosedError) for answer in answers) == 10
    with litewf.Client(path) as client:
        assert {one.workflow_id for one in client.list_workflows()} >= {handle.workflow_id for handle in done}


def test_what_a_cancelled_call_has_written_is_settled_when_it_is_over(path: Path, registry: litewf.Registry) -> None:
    """Nothing is written behind the back of whoever was cancelled: it was taken back, or it is there."""

    @registry.workflow
    def flow() -> None: ...

    async def main() -> None:
        async with litewf.AsyncClient(path, registry=registry) as client:
            await client.enqueue("q", flow.with_options(workflow_id="w"))
            settled = []
            for n in range(40):
                task = asyncio.create_task(client.send("w", n))
                for _ in range(2 ** (n % 16)):  # from at once to long after it has come to its end
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                settled.append(await client.query("SELECT count(*) FROM message WHERE value = ?", (str(n),)))
            await client.send("w", "last")  # what were still on its way would come before
            rows = await client.query("SELECT value FROM message")
            assert [[(rows.count((str(n),)),)] for n in range(40)] == settled
            assert {count for [(count,)] in settled} == {0, 1}

    run(main())


def test_another_event_loop_is_refused(path: Path, registry: litewf.Registry) -> None:
    loops = [asyncio.new_event_loop(), asyncio.new_event_loop()]
    client = litewf.AsyncClient(path, registry=registry)
    try:
        assert loops[0].run_until_complete(client.query("SELECT 1")) == [(1,)]
        with pytest.raises(litewf.UsageError, match="another event loop"):
            loops[1].run_until_complete(client.query("SELECT 1"))
        loops[0].run_until_complete(client.close())
    finally:
        for loop in loops:
            loop.close()


# --- refusals -----------------------------------------------------------------------------------------------------


def test_a_process_with_an_engine_or_a_client_on_the_file_is_refused(path: Path, registry: litewf.Registry) -> None:
    async def use() -> None:
        async with litewf.AsyncClient(path, registry=registry):
            pass

    with litewf.Engine(path, registry=registry), pytest.raises(litewf.StoreUnsupportedError, match="drop each other's"):
        run(use())
    with litewf.Client(path), pytest.raises(litewf.StoreUnsupportedError, match="_async methods"):
        run(use())
    run(use())  # both are gone


def test_an_engine_and_a_client_refuse_a_process_with_an_async_client_on_the_file(
    path: Path, tmp_path: Path, registry: litewf.Registry
) -> None:
    async def main() -> None:
        async with litewf.AsyncClient(path, registry=registry), litewf.AsyncClient(path, registry=registry) as second:
            with pytest.raises(litewf.StoreUnsupportedError, match="close the AsyncClient first"):
                await litewf.Engine(path, registry=registry).launch_async()
            with pytest.raises(litewf.StoreUnsupportedError, match="close the AsyncClient first"):
                await asyncio.to_thread(litewf.Client, path)
            async with litewf.Engine(tmp_path / "other.db", registry=registry) as other:
                assert await other.query_async("SELECT 1") == [(1,)]  # another file is nobody's business
            assert await second.query("SELECT 1") == [(1,)]

    run(main())
    with litewf.Client(path):
        pass


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(litewf.StoreMovedError, match="does not exist"):
        run(litewf.AsyncClient(tmp_path / "no.db").list_workflows())
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_bytes(b"hello, world" * 100)
    with pytest.raises(litewf.StoreCorruptError, match="not a SQLite database"):
        run(litewf.AsyncClient(path).list_workflows())
    assert path.read_bytes() == b"hello, world" * 100
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("where", ["in the header", "in the -wal alone"])
def test_a_newer_schema_is_refused_untouched(path: Path, where: str) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 999)
    if where == "in the -wal alone":
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close()
    before = beside(path)
    with pytest.raises(litewf.StoreVersionError, match="newer litewf"):
        run(litewf.AsyncClient(path).list_workflows())
    assert beside(path) == before


def test_after_a_refusal_the_next_call_tries_again(path: Path, tmp_path: Path, registry: litewf.Registry) -> None:
    later = tmp_path / "later.db"

    async def main() -> None:
        client = litewf.AsyncClient(later, registry=registry)
        with pytest.raises(litewf.StoreMovedError):
            await client.list_workflows()
        shutil.copy(path, later)
        assert await client.list_workflows() == []
        await client.close()

    run(main())


def test_an_sqlite_that_is_too_old_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 37, 2))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.37.2")
    with pytest.raises(litewf.StoreVersionError, match=r"3\.37\.2.*3\.39\.4 or newer.*Client"):
        run(litewf.AsyncClient(path).list_workflows())


def test_a_missing_package_is_named_with_the_extra_that_brings_it(path: Path) -> None:
    code = "import sys; sys.modules['aiosqlite'] = None; import litewf; litewf.AsyncClient(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "pip install 'litewf[asyncio]'" in done.stderr.splitlines()[-1]


def test_a_file_that_is_moved_away_is_written_no_more(path: Path, registry: litewf.Registry) -> None:
    async def main() -> None:
        async with litewf.AsyncClient(path, registry=registry) as client:
            handle = await client.enqueue("nobody", "serves this")
            waiting = asyncio.create_task(handle.get_result())
            await asyncio.to_thread(path.rename, path.with_name("moved.db"))
            with pytest.raises(litewf.StoreMovedError, match="was moved, replaced or deleted"):
                await client.list_workflows()
            with pytest.raises(litewf.StoreMovedError, match="was moved, replaced or deleted"):
                await client.send(handle.workflow_id, 1)
            with pytest.raises(litewf.StoreMovedError):
                await asyncio.wait_for(waiting, 20)

    run(main())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # it is what is tested
@pytest.mark.parametrize("use", ["the inherited one", "a new one"])
def test_a_forked_child_can_use_none(path: Path, registry: litewf.Registry, use: str) -> None:
    async def in_child(client: litewf.AsyncClient) -> str:
        mine = client if use == "the inherited one" else litewf.AsyncClient(path, registry=registry)
        try:
            return str(await mine.query("SELECT 1"))
        except litewf.LitewfError as error:
            return str(error)

    async def main() -> str:
        async with litewf.AsyncClient(path, registry=registry) as client:
            await client.query("SELECT 1")
            answer = await asyncio.to_thread(forked, lambda: asyncio.run(in_child(client)))
            assert await client.query("SELECT 2") == [(2,)]
            return answer

    answer = run(main())
    assert "fork" in answer
    assert "spawn" in answer


def forked(body: Any) -> str:
    """What `body` returns in a forked child."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            answer = body()
        except BaseException as error:  # the child must not go on with the tests
            answer = repr(error)
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read().decode()
    os.wait()
    return answer


def test_inside_a_workflow_it_is_refused(path: Path, tmp_path: Path, registry: litewf.Registry) -> None:
    @registry.workflow
    async def flow() -> str:
        async with litewf.AsyncClient(path) as client:
            await client.list_workflows()
        return "never"

    async def main() -> None:
        async with litewf.Engine(tmp_path / "other.db", registry=registry) as engine:
            with pytest.raises(litewf.UsageError, match="run_step"):
                await engine.run_workflow_async(flow)

    run(main())


class Tracer:
    """Watches as telemetry does."""

    def starts(self, *_: Any) -> str:
        return "trace of a start"

    def sends(self) -> str:
        return "trace of a message"


@pytest.mark.parametrize("when", ["before the first call", "after it"])
def test_it_can_be_watched(path: Path, registry: litewf.Registry, when: str) -> None:
    async def main() -> Any:
        async with litewf.AsyncClient(path, registry=registry) as opened:
            client = opened if when == "after it" else litewf.AsyncClient(path, registry=registry)
            client._observe(Tracer())
            handle = await client.enqueue("q", "flow")
            await client.send(handle.workflow_id, 1)
            found = await client.query("SELECT trace FROM request UNION ALL SELECT trace FROM message")
            client._observe(None)
            await client.enqueue("q", "flow")
            assert await client.query("SELECT count(trace) FROM request") == [(1,)]
            await client.close()
            return found

    assert run(main()) == [("trace of a start",), ("trace of a message",)]
