"""What the engines of these tests run; a body writes a line to a ledger, which outlives every process."""

import os
import time
from pathlib import Path

import litewf

registry = litewf.Registry()
litewf.Queue("work", global_concurrency=8, registry=registry)


def note(ledger: str, line: str) -> None:
    """One line, written at once and as a whole."""
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def noted(ledger: Path) -> list[str]:
    return ledger.read_text().splitlines() if ledger.exists() else []


@registry.step(name="body")
def body(ledger: str, number: int) -> int:
    note(ledger, f"{litewf.workflow_id()} {number} {os.getpid()}")
    return 2 * number


@registry.workflow(name="job")
def job(ledger: str, number: int) -> int:
    return body(ledger, number)


@registry.workflow(name="follows")
def follows(handle: litewf.WorkflowHandle[int]) -> int:
    return handle.get_result()


@registry.workflow(name="timed")
def timed(ledger: str) -> None:
    """Write down when it began."""
    note(ledger, str(time.monotonic_ns()))


@registry.workflow(name="echo")
def echo(count: int) -> list[object]:
    """Receive so many messages, and show each of them as an event and in a stream."""
    seen = []
    for _ in range(count):
        seen.append(litewf.recv("in"))
        litewf.set_event("latest", seen[-1])
        litewf.write_stream("all", seen[-1])
    return seen


@registry.workflow(name="collect")
def collect() -> list[object]:
    """Receive until the end is said."""
    seen = []
    while (message := litewf.recv("in")) != "end":
        seen.append(message)
    return seen


@registry.workflow(name="fails")
def fails() -> None:
    raise ValueError("no luck")
