"""The WAL stays bounded under load, whatever readers do, and checkpoints never make writers wait for long."""

import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw
import pytest
from disk import Disk
from notes import insert, notes, write

from litewf.store import write_connection
from litewf.store.database import BUSY_TIMEOUT_MS
from litewf.store.operations import Tx
from litewf.store.store import Store

CHECKPOINT_FRAMES, HUGE_FRAMES = 1000, 4000  # a quarter of the real ones, to be quick
FRAME = 4096 + 24
BLOB = 100_000  # bytes: 25 frames in one small transaction


@pytest.fixture(autouse=True)
def early_checkpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_connection, "CHECKPOINT_FRAMES", CHECKPOINT_FRAMES)
    monkeypatch.setattr(write_connection, "HUGE_FRAMES", HUGE_FRAMES)


def wal(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.with_name(path.name + "-wal").stat().st_size
    return 0


def fat(name: str) -> Callable[[Tx], None]:
    def change(tx: Tx) -> None:
        tx.connection.execute("INSERT OR REPLACE INTO note VALUES (printf('%s%.*c', ?, ?, 'x'))", (name, BLOB))
        tx.connection.execute("DELETE FROM note WHERE length(text) > 1000")

    return change


@contextmanager
def snapshot(path: Path) -> Any:
    """A reader that keeps the file as it was."""
    reader = apsw.Connection(str(path))
    reader.execute("BEGIN; SELECT count(*) FROM note").fetchall()
    try:
        yield reader
    finally:
        reader.close()


def load(store: Store, path: Path, frames: int) -> int:
    """Write that many frames; the greatest size that the WAL had."""
    largest = 0
    for at in range(frames // 25):
        store.writer.turn(fat(str(at)), inline=True)
        largest = max(largest, wal(path))
    return largest


def test_a13__the_wal_stays_bounded_under_load(store: Store, path: Path) -> None:
    assert load(store, path, 5 * CHECKPOINT_FRAMES) < 2 * CHECKPOINT_FRAMES * FRAME


def test_the_wal_stays_bounded_while_the_queue_is_never_empty(store: Store, path: Path) -> None:
    """A checkpoint that only came when nobody waits would never come."""
    largest = []

    def keep_writing(name: int) -> None:
        for _ in range(60):
            store.writer.turn(fat(str(name)))
            largest.append(wal(path))

    threads = [threading.Thread(target=keep_writing, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(largest) < 4 * CHECKPOINT_FRAMES * FRAME  # twelve thousand frames were written


def test_wal_grows_behind_one_old_reader__and_is_bounded_again_once_it_ends(store: Store, path: Path) -> None:
    with snapshot(path):
        pinned = load(store, path, 2 * CHECKPOINT_FRAMES)
    assert pinned > 1.9 * CHECKPOINT_FRAMES * FRAME
    size = wal(path)
    load(store, path, 5 * CHECKPOINT_FRAMES)
    assert wal(path) <= size + 2 * CHECKPOINT_FRAMES * FRAME


def test_the_wal_stays_bounded_although_slow_readers_follow_each_other_without_a_gap(store: Store, path: Path) -> None:
    stop = threading.Event()

    def read_slowly(turn: threading.Semaphore, after: threading.Semaphore) -> None:
        while not stop.is_set():
            turn.acquire()
            with snapshot(path):
                after.release()  # the next one begins before this one ends
                stop.wait(0.05)

    one, other = threading.Semaphore(1), threading.Semaphore(0)
    readers = [threading.Thread(target=read_slowly, args=args) for args in ((one, other), (other, one))]
    for reader in readers:
        reader.start()
    try:
        largest = load(store, path, 4 * HUGE_FRAMES)
    finally:
        stop.set()
        one.release()
        other.release()
        for reader in readers:
            reader.join()
    assert largest < 1.5 * HUGE_FRAMES * FRAME


def test_a_reader_does_not_make_writers_wait_when_the_quiet_wal_is_to_be_cut(store: Store, path: Path) -> None:
    """A checkpoint that waits for readers while it owns the right to write would stall everything."""
    write(store, "before")
    with snapshot(path):
        store.writer._own()
        began = time.monotonic()
        store.writer._file.checkpoint()
        store.writer.disown()
        assert time.monotonic() - began < BUSY_TIMEOUT_MS / 2000  # it would wait for all of that


def test_a_quiet_wal_is_cut(store: Store, path: Path) -> None:
    load(store, path, 100)
    assert wal(path) > 0
    deadline = time.monotonic() + 10
    while wal(path) and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert wal(path) == 0


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_checkpoint_that_fails_loses_nothing_and_is_repeated(
    disk: Disk, path: Path, open_store: Callable[[], Store], operation: str
) -> None:
    store = open_store()
    disk.fail(operation, "db", apsw.SQLITE_IOERR, times=1)
    for at in range(CHECKPOINT_FRAMES // 20):
        store.writer.turn(fat(str(at)), inline=True)
    store.writer.turn(insert("kept"))
    assert (f"failed {operation}", "db") in disk.trace
    assert notes(store) == {"kept"}
    load(store, path, CHECKPOINT_FRAMES)
    assert wal(path) < 3 * CHECKPOINT_FRAMES * FRAME
