"""The process that is really killed: it runs a mix of workflows and writes down what happens, line by line.

Run as `python -m tests.crash.killed_child <folder>`, it forks an engine process for each line that it reads: a number is
a round that adds workflows, `end` a round that finishes everything. What a body does is one line in a file, written at
once, so it outlives a SIGKILL.
"""

import asyncio
import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import litewf

LINGER_S = 0.005
WHOLE = " ."  # ends each line of a diary
BEAT_S = 0.004  # how long things take here


class Diary:
    """Lines that are in the file when `write` returns, whatever then happens to the process.

    A kill may tear the line that is being written, where it lies across two pages.
    """

    def __init__(self, path: Path, life: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._runs = itertools.count(1)
        self._life = life
        os.write(self._fd, b"\n")  # after a line that was torn

    def write(self, *words: object) -> None:
        os.write(self._fd, (" ".join(map(str, (self._life, *words))) + f"{WHOLE}\n").encode())

    @staticmethod
    def lines(path: Path, start: int) -> tuple[list[str], int]:
        """What was written from a line on, but for what was torn; and where to read on."""
        lines = path.read_text().splitlines()
        return [line.removesuffix(WHOLE) for line in lines[start:] if line.endswith(WHOLE)], len(lines)

    def body(self, attempts: int) -> str:
        """A body starts; what it returns as its receipt."""
        receipt = f"{self._life}-{next(self._runs)}"
        self.write("start", litewf.idempotency_key(), receipt, attempts, litewf.attempt())
        return receipt

    def end(self, receipt: str) -> str:
        self.write("end", litewf.idempotency_key(), receipt)
        return receipt


def define_steps(registry: litewf.Registry, diary: Diary) -> tuple[Any, Any, Any, Any]:
    """A step of each kind, which the diary knows of."""

    @registry.step
    def work(n: int) -> str:
        return diary.end(diary.body(1))

    @registry.step
    async def work_async(n: int) -> str:
        receipt = diary.body(1)
        await asyncio.sleep(0)
        return diary.end(receipt)

    @registry.step(max_retries=2, base_interval=BEAT_S)
    def flaky(n: int) -> str:
        receipt = diary.body(3)
        if litewf.attempt() < 3:
            diary.end(receipt)
            raise ValueError(n)
        return diary.end(receipt)

    @registry.transaction
    def deposit(conn: litewf.Connection, n: int) -> str:
        receipt = diary.body(1)
        conn.execute("INSERT INTO deposit (workflow, n) VALUES (?, ?)", (litewf.workflow_id(), n))
        return diary.end(receipt)

    return work, work_async, flaky, deposit


def define(registry: litewf.Registry, diary: Diary) -> list[Any]:
    """A workflow of each kind."""
    work, work_async, flaky, deposit = define_steps(registry, diary)

    @registry.workflow
    def sequence() -> int:
        return len({work(n) for n in range(5)})

    @registry.workflow
    async def branches() -> int:
        async def branch(n: int) -> list[str]:
            return [await work_async(n), await work_async(n + 10)]

        return len(await asyncio.gather(*(branch(n) for n in range(3))))

    @registry.workflow
    def retried() -> int:
        return len([flaky(1), work(2)])

    @registry.workflow
    async def sleeper() -> int:
        for n in range(3):
            await litewf.sleep_async(BEAT_S * n)
            await work_async(n)
        return 3

    @registry.workflow
    def family() -> int:
        total: int = sequence()
        handles = litewf.start_workflows([(retried,), (sleeper,), (sequence,)])
        results: list[int] = litewf.wait_all(handles)
        return total + sum(results)

    @registry.workflow
    def banker() -> int:
        return len([deposit(1), work(2), deposit(3)])

    @registry.workflow
    async def generations(n: int = 1) -> int:
        await work_async(n)
        if n < 3:
            litewf.continue_as_new(n + 1)
        return n

    return [sequence, branches, retried, sleeper, family, banker, generations]


RESULTS = {"sequence": 5, "branches": 3, "retried": 2, "sleeper": 3, "family": 15, "banker": 3, "generations": 3}


def live(folder: Path, number: str, say: Callable[[str], None]) -> None:
    """One engine process."""
    registry = litewf.Registry()
    diary = Diary(folder / "diary", number)
    workflows = define(registry, diary)
    engine = litewf.Engine(folder / "flows.db", registry=registry, application_version="1", linger=LINGER_S)
    with engine:
        engine.transact(
            lambda conn: conn.execute(
                "CREATE TABLE IF NOT EXISTS deposit (workflow TEXT, n INTEGER, UNIQUE (workflow, n))"
            )
        )
        say("up")
        for workflow in workflows if number != "end" else []:
            workflow_id = f"{workflow.__name__.rpartition('.')[2]}-{number}"
            engine.start_workflow(workflow.with_options(workflow_id=workflow_id))
            diary.write("started", workflow_id)
        for status in engine.list_workflows():
            engine.retrieve_workflow(status.workflow_id).get_result()
    say("done")


def main() -> None:
    """Fork an engine process per line of input: to import everything anew each time would take most of the time."""
    folder = Path(sys.argv[1])
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            live(folder, line.strip(), lambda text: print(text, flush=True))
            os._exit(0)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        print("over", flush=True)


if __name__ == "__main__":
    main()
