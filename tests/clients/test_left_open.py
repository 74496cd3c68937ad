"""AsyncClients that nobody closes: cancelled on their way in, or forgotten."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import litewf


@pytest.fixture
def path(path: Path) -> Path:
    """A file that is there, as a client does not make one."""
    with litewf.Engine(path, registry=litewf.Registry()):
        pass
    return path


@pytest.mark.parametrize("turns", [1, 2, 4, 8])
def test_a_client_whose_opening_is_cancelled_closes_without_a_word_of_its_own(path: Path, turns: int) -> None:
    async def enter() -> None:
        async with litewf.AsyncClient(path):
            await asyncio.Event().wait()

    async def main() -> None:
        tasks = [asyncio.create_task(enter()) for _ in range(3)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        async with asyncio.timeout(20):
            while await asyncio.to_thread(refused):  # nothing tells of it
                pass

    def refused() -> bool:
        try:
            litewf.Client(path).close()
        except litewf.StoreUnsupportedError:
            return True
        return False

    asyncio.run(main())


def test_a_client_that_was_forgotten_long_before_its_loop_ends_is_closed_in_order_too(path: Path) -> None:
    code = """
import asyncio, gc, sys, litewf
async def forget():
    print(await litewf.AsyncClient(sys.argv[1], registry=litewf.Registry()).query("SELECT 1"))
async def main():
    await forget()
    gc.collect()
    await asyncio.sleep(0)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-X", "dev", "-c", code, str(path)], capture_output=True, text=True,
                          timeout=60, check=True)  # fmt: skip
    assert done.stdout == "[(1,)]\n"
    assert "Connection closed" not in done.stderr
    assert "ResourceWarning" not in done.stderr
