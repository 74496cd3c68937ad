"""A client process of the load: starts, sends, waits and looks, and writes down what it was told is done.

`python -m tests.clients.worker KIND PATH FOLDER NAME`, KIND being Client or AsyncClient. It goes on until the file
`stop` is in the folder; started again after a kill, it goes on from where its notes end.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import litewf
from tests.clients import program
from tests.clients.both import Ask, awaiting, passing

BEHIND = 4  # jobs that are under way before their results are awaited
PATIENCE_S = 60.0


class Notes:
    """What this client was told, in a file that outlives it; each line is one call that has returned."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self._file = str(folder / f"{name}.told")

    def next_number(self) -> int:
        """Behind whatever an earlier life may have begun."""
        begun = [int(line.split()[1]) for line in program.noted(Path(self._file)) if line.startswith("begin")]
        return max(begun, default=-1) + 1

    def told(self, what: str, *words: object) -> None:
        program.note(self._file, " ".join(map(str, (what, *words))))

    @property
    def stopped(self) -> bool:
        return (self.folder / "stop").exists()


async def work(client: Any, ask: Ask, notes: Notes) -> None:
    ledger, under_way = str(notes.folder / "ledger"), []
    await ask(client.start_workflow(program.collect.with_options(workflow_id=f"{notes.name}-inbox")))
    number = notes.next_number()
    while not notes.stopped:
        notes.told("begin", number)
        job = program.job.with_options(workflow_id=f"{notes.name}-{number}")
        if number % 2:
            handle = await ask(client.enqueue("work", job, ledger, number))
        else:
            handle = await ask(client.start_workflow(job, ledger, number))
        notes.told("started", handle.workflow_id)
        under_way.append((number, handle))
        if number % 5 == 0:
            await ask(client.send(f"{notes.name}-inbox", number, "in", idempotency_key=str(number)))
            notes.told("sent", number)
        if number % 7 == 0:
            assert len(await ask(client.list_workflows(limit=20, sort_desc=True))) > 0
        if len(under_way) > BEHIND:
            await result(ask, notes, *under_way.pop(0))
        number += 1
    for one in under_way:
        await result(ask, notes, *one)


async def result(ask: Ask, notes: Notes, number: int, handle: Any) -> None:
    assert await ask(handle.get_result(PATIENCE_S)) == 2 * number
    notes.told("result", handle.workflow_id)


def run_client(path: str, notes: Notes) -> None:
    with litewf.Client(path, registry=program.registry) as client:
        coroutine = work(client, passing, notes)
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise AssertionError("a Client has nothing to wait for")


def run_async_client(path: str, notes: Notes) -> None:
    async def main() -> None:
        async with litewf.AsyncClient(path, registry=program.registry) as client:
            await work(client, awaiting, notes)

    asyncio.run(main())


KINDS: dict[str, Callable[[str, Notes], Coroutine[Any, Any, None] | None]] = {
    "Client": run_client,
    "AsyncClient": run_async_client,
}

if __name__ == "__main__":
    kind, path, folder, name = sys.argv[1:]
    KINDS[kind](path, Notes(Path(folder), name))
