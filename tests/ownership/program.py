"""What the processes of these tests run; every body writes its beginning and its end to a ledger, a file of lines."""

import asyncio
import os
import time
from pathlib import Path
from typing import NamedTuple

import litewf

registry = litewf.Registry()


def record(ledger: str, what: str, name: str) -> None:
    """Append a line at once, so that it outlives the process."""
    line = f"{what} {name} {os.getpid()} {time.monotonic_ns()} {litewf.step_id()}\n"
    fd = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, line.encode())
    os.close(fd)


class Line(NamedTuple):
    """One line of the ledger."""

    what: str
    name: str
    pid: int
    at_ns: int
    step: str


def read(ledger: Path) -> list[Line]:
    if not ledger.exists():
        return []
    rows = (line.split(" ") for line in ledger.read_text().splitlines())
    return [Line(what, name, int(pid), int(at), step) for what, name, pid, at, step in rows]


@registry.step
def work(ledger: str, name: str, seconds: float) -> None:
    record(ledger, "begin", name)
    time.sleep(seconds)  # a body that takes its time
    record(ledger, "end", name)


@registry.step
def until(ledger: str, name: str, gate: str) -> int:
    """Run until the file `gate` exists."""
    record(ledger, "begin", name)
    while not Path(gate).exists():
        time.sleep(0.002)  # the gate is a file, which another process makes
    record(ledger, "end", name)
    return os.getpid()


@registry.step
def die(ledger: str, name: str) -> None:
    """Kill the process, once the file that the ledger names exists no more."""
    record(ledger, "begin", name)
    if not Path(f"{ledger}.harmless").exists():
        os.kill(os.getpid(), 9)


@registry.workflow
def chain(ledger: str, name: str, steps: int, seconds: float) -> str:
    for _ in range(steps):
        work(ledger, name, seconds)
    return name


@registry.workflow
def gated(ledger: str, name: str, gate: str) -> int:
    return until(ledger, name, gate)


@registry.workflow
def endless(ledger: str, name: str) -> None:
    for _ in range(10_000):
        work(ledger, name, 0.002)


@registry.workflow
def waiter(workflow_id: str) -> int:
    result: int = litewf.retrieve_workflow(workflow_id).get_result()
    return result


@registry.workflow(max_recovery_attempts=2)
def deadly(ledger: str, name: str) -> str:
    die(ledger, name)
    return "survived"


@registry.workflow(max_recovery_attempts=2)
def deadly_but_moving(ledger: str, name: str, deaths: int) -> str:
    for _ in range(deaths):
        work(ledger, name, 0)
        one_death(ledger, name)
    return "survived"


@registry.step
def one_death(ledger: str, name: str) -> None:
    """Kill the process the first time that it runs under its number."""
    number = litewf.step_id()
    if any(line.what == "death" and line.step == number for line in read(Path(ledger))):
        return
    record(ledger, "death", name)
    os.kill(os.getpid(), 9)


@registry.step
async def ignore_cancel(ledger: str) -> None:
    """Go on whatever comes."""
    record(ledger, "begin", "ignore_cancel")
    while True:
        try:
            await asyncio.sleep(0.01)  # a body that takes its time
        except BaseException:  # noqa: S112 - that is the point
            continue


@registry.workflow
async def stubborn(ledger: str) -> None:
    await ignore_cancel(ledger)


@registry.workflow
def asleep(seconds: float) -> str:
    litewf.sleep(seconds)
    return "awake"
