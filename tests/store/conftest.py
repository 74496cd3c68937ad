"""Stores opened without an engine, and a disk that can fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from disk import Disk, faulty_disk
from notes import OpenStore

from litewf.store.mailboxes import deliver
from litewf.store.store import Store
from litewf.world import World


@pytest.fixture
def disk() -> Iterator[Disk]:
    with faulty_disk() as disk:
        yield disk


@pytest.fixture
def open_store(path: Path) -> Iterator[OpenStore]:
    """Opens a store whose writer runs, with a table `note (text UNIQUE)` for the tests to write to."""
    opened: list[Store] = []

    def open_one(world: World | None = None) -> Store:
        store = Store(path, "full", world or World(), deliver)
        opened.append(store)
        store.writer.start()
        store.writer.turn(
            lambda tx: tx.connection.execute("CREATE TABLE IF NOT EXISTS note (text TEXT UNIQUE) STRICT").fetchall()
        )
        return store

    yield open_one
    for store in opened:
        store.close(5)


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    return open_store()
