"""What child processes run: jobs that write down when their bodies begin and end, in a file that outlives them."""

import os
import sys
import time
from pathlib import Path
from typing import NamedTuple

import litewf

registry = litewf.Registry()
BODY_S = 0.002


def note(ledger: str, what: str, name: str) -> None:
    """One line, written at once and as a whole."""
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{time.monotonic_ns()} {os.getpid()} {what} {name}\n".encode())
    os.close(descriptor)


@registry.step(name="body")
def body(ledger: str) -> None:
    name = litewf.workflow_id()
    note(ledger, "begin", name)
    time.sleep(BODY_S)  # so that bodies overlap if they are allowed to
    note(ledger, "end", name)


@registry.workflow(name="job")
def job(ledger: str) -> None:
    body(ledger)


class Line(NamedTuple):
    """Something that happened."""

    at_ns: int
    pid: int
    what: str
    name: str


def read(ledger: Path) -> list[Line]:
    lines = [line.split(" ", 3) for line in ledger.read_text().splitlines()]
    return sorted(Line(int(at), int(pid), what, name) for at, pid, what, name in lines)


if __name__ == "__main__":
    with litewf.Engine(sys.argv[1], registry=registry, durability="normal", application_version="1") as engine:
        print("up", flush=True)
        sys.stdin.read()
