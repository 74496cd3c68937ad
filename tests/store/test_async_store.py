"""A file that is open through aiosqlite, moved away in the very moment in which it is used."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import apsw
import pytest

import litewf
from litewf.store import standard
from litewf.store.async_store import AsyncStore
from litewf.store.operations import Operation, Turn
from litewf.world import World


@pytest.fixture
def path(path: Path) -> Path:
    """A file that is there."""
    with litewf.Engine(path, registry=litewf.Registry()):
        pass
    return path


def moved(path: Path) -> None:
    path.rename(path.with_name("moved.db"))


def test_what_comes_while_others_are_written_is_not_written_to_a_file_that_was_moved(path: Path) -> None:
    first, second = Turn(lambda _: None), Turn(lambda _: None)

    async def main() -> None:
        store = AsyncStore(path, "full", World())
        await store.open()
        over, loop = asyncio.Event(), asyncio.get_running_loop()

        async def submit() -> None:
            store.writer.submit(second)

        def committed(operations: Sequence[Operation]) -> None:  # on the thread that writes
            if first in operations:
                moved(path)
                asyncio.run_coroutine_threadsafe(submit(), loop).result()
            else:
                loop.call_soon_threadsafe(over.set)

        store.on_commit = committed
        store.writer.submit(first)
        await over.wait()
        await store.close_async()

    asyncio.run(main())
    assert first.error is None
    assert isinstance(second.error, litewf.StoreMovedError)


def test_a_connection_that_fails_because_the_file_was_moved_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_late(_: Path) -> standard.Threaded:
        moved(path)
        raise apsw.IOError("disk I/O error")

    async def main() -> None:
        store = AsyncStore(path, "full", World())
        await store.open()
        monkeypatch.setattr(standard, "open_reader", too_late)
        with pytest.raises(litewf.StoreMovedError, match="was moved, replaced or deleted"):
            await store.ask(lambda: None)
        await store.close_async()

    asyncio.run(main())
