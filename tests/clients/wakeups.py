"""How soon an engine in another process begins what a client asks for, and the client hears of its end.

`python -m tests.clients.wakeups [COUNT]` prints the median and the worst of a hundred, for both kinds of client, in ms:
from the commit of the enqueue to the first line of the body, and from the last line of the body to the client's answer.
"""

import asyncio
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import litewf
from tests.clients import program
from tests.clients.both import Ask, awaiting, passing
from tests.clients.processes import Child

PAUSE_S = 0.02, 0.6  # between two enqueues: the engine is lively, or has been quiet for a while
SERVE = """
with litewf.Engine(path, registry=program.registry) as engine:
    say("up")
    hear()
"""


async def measure(client: Any, ask: Ask, ledger: Path, count: int) -> tuple[list[float], list[float]]:
    there, back = [], []
    for number in range(count):
        time.sleep(random.uniform(*PAUSE_S))  # noqa: ASYNC251 - what is measured is an engine that has nothing to do
        handle = await ask(client.enqueue("timed", program.timed, str(ledger)))
        asked_ns = time.monotonic_ns()
        await ask(handle.get_result(30))
        answered_ns = time.monotonic_ns()
        began_ns = int(program.noted(ledger)[number])
        there.append((began_ns - asked_ns) / 1e6)
        back.append((answered_ns - began_ns) / 1e6)
    return there, back


def figures(values: list[float]) -> str:
    ordered = sorted(values)
    return f"p50 {ordered[len(ordered) // 2]:6.2f}  p99 {ordered[len(ordered) * 99 // 100]:6.2f}"


def of_client(path: Path, count: int) -> tuple[list[float], list[float]]:
    with litewf.Client(path, registry=program.registry) as client:
        coroutine = measure(client, passing, path.with_name("client"), count)
        try:
            coroutine.send(None)
        except StopIteration as stop:
            found: tuple[list[float], list[float]] = stop.value
            return found
        raise AssertionError("a Client has nothing to wait for")


def of_async_client(path: Path, count: int) -> tuple[list[float], list[float]]:
    async def main() -> tuple[list[float], list[float]]:
        async with litewf.AsyncClient(path, registry=program.registry) as client:
            return await measure(client, awaiting, path.with_name("async"), count)

    return asyncio.run(main())


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"{count} of each, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flows.db"
        engine = Child(SERVE, path)
        engine.hear()
        for kind, run in (("Client", of_client), ("AsyncClient", of_async_client)):
            there, back = run(path, count)
            print(f"{kind:12} to the body: {figures(there)}   back to the caller: {figures(back)}")
        engine.end()
        engine.close()


if __name__ == "__main__":
    main()
