"""What is left beside the file once everybody has closed it, and that closing never hangs."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
import pytest
from notes import OpenStore, insert, notes, write

import litewf
from litewf.store.store import Store

KEEPS_ITS_TURN = """
import sys
from pathlib import Path
from typing import Any
from litewf.store.turnstile import Turnstile
Turnstile(Path(sys.argv[1])).enter()
print("entered", flush=True)
sys.stdin.read()
"""


def beside(path: Path) -> set[str]:
    return {file.name.removeprefix(path.name) for file in path.parent.iterdir()}


def test_only_the_database_and_the_turnstile_are_left(path: Path) -> None:
    with litewf.Engine(path, registry=litewf.Registry()) as engine:
        engine.list_workflows()
        engine.transact(lambda connection: connection.execute("CREATE TABLE mine (x)"))
        assert {"-wal", "-shm"} <= beside(path)
    assert beside(path) == {"", "-next", "-turn"}


def test_the_first_of_two_engines_to_close_leaves_the_wal_to_the_other(path: Path) -> None:
    with litewf.Engine(path, registry=litewf.Registry()) as first:
        with litewf.Engine(path, registry=litewf.Registry()):
            pass
        assert {"-wal", "-shm"} <= beside(path)
        first.transact(lambda connection: connection.execute("CREATE TABLE mine (x)"))
        assert first.query("SELECT count(*) FROM mine") == [(0,)]
    assert beside(path) == {"", "-next", "-turn"}


def test_what_was_written_is_in_the_database_itself_after_close(open_store: OpenStore, path: Path) -> None:
    store = open_store()
    write(store, "kept")
    store.close(5)
    copy = path.with_name("copy.db")
    copy.write_bytes(path.read_bytes())
    connection = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    assert connection.pragma("integrity_check") == "ok"
    connection.close()


def test_what_is_queued_is_written_before_it_closes(open_store: OpenStore) -> None:
    store = open_store()
    with ThreadPoolExecutor(8) as pool:
        written = [pool.submit(write, store, str(at)) for at in range(8)]
        for one in written:
            one.result()
    store.close(5)
    again = open_store()
    assert notes(again) == {str(at) for at in range(8)}


def test_nothing_can_be_written_or_read_after_close(open_store: OpenStore) -> None:
    store = open_store()
    store.close(5)
    with pytest.raises(litewf.EngineClosedError):
        write(store, "late")
    with pytest.raises(litewf.EngineClosedError):
        notes(store)
    with pytest.raises(litewf.EngineClosedError):
        store.transactions.run(lambda connection: connection.execute("SELECT 1"))


def test_closing_twice_is_harmless(open_store: OpenStore) -> None:
    store = open_store()
    store.close(5)
    store.close(5)


def test_a_reader_that_is_still_reading_keeps_its_connection_until_it_is_done(open_store: OpenStore) -> None:
    store = open_store()
    write(store, "kept")
    reading, go_on = threading.Event(), threading.Event()

    def slow(connection: apsw.Connection) -> list[Any]:
        reading.set()
        assert go_on.wait(20)
        return connection.execute("SELECT text FROM note").fetchall()

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(store.read, slow)
        assert reading.wait(20)
        store.close(5)
        go_on.set()
        assert answer.result(20) == [("kept",)]


def test_a_transaction_that_never_ends_does_not_keep_the_store_from_closing_in_time(
    open_store: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store()
    inside, go_on = threading.Event(), threading.Event()

    def endless(connection: object) -> None:
        inside.set()
        assert go_on.wait(20)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(store.transactions.run, endless)
        assert inside.wait(20)
        began = time.monotonic()
        store.close(0.1)
        assert time.monotonic() - began < 10  # it would be 20
        go_on.set()
        running.result(20)
    assert "still writes" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGSTOP")
def test_a_stopped_process_that_keeps_its_turn_does_not_keep_an_engine_from_shutting_down_in_time(path: Path) -> None:
    engine = litewf.Engine(path, registry=litewf.Registry())
    engine.launch()
    root = str(Path(litewf.__file__).parents[1])
    child = subprocess.Popen(
        [sys.executable, "-c", KEEPS_ITS_TURN, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"entered\n"
        child.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        engine.shutdown(timeout=0.2)
        assert time.monotonic() - began < 6
    finally:
        child.kill()
        child.communicate()
    with litewf.Engine(path, registry=litewf.Registry()) as again:
        assert again.list_workflows() == []


def test_stores_opened_and_closed_by_many_threads_at_once_lose_nothing(open_store: OpenStore, path: Path) -> None:
    first = open_store()
    write(first, "first")
    first.close(5)

    def use(name: int) -> None:
        for at in range(4):
            store = open_store()
            store.writer.turn(insert(f"{name}.{at}"))
            store.close(5)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(use, name) for name in range(4)]:
            done.result(30)
    assert notes(open_store()) == {"first"} | {f"{name}.{at}" for name in range(4) for at in range(4)}


def test_a_failing_open_leaves_no_descriptor_behind(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise apsw.CantOpenError("no")

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr("litewf.store.write_connection.migrate", refuse)
    for _ in range(3):
        with pytest.raises(litewf.StoreError):
            Store(path, "full", litewf.world.World(), lambda _: None)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
