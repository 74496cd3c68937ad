"""Workflows that are made of data, so that a test can make any of them, run it, and change it at one place.

A program is a list of calls. `run` and `run_async` make them; `recorded` says in plain Python what an engine records of
them, and `partings` where a changed program and those records part.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

import litewf

LONG_S = 1e6


class Op(NamedTuple):
    """One call of a program: its kind, a name if it has one, and the programs of the tasks that it starts."""

    kind: str
    name: str = ""
    branches: tuple[Any, ...] = ()


Program = tuple[Op, ...]
NAMES = {
    "now": "litewf.now",
    "sleep": "litewf.sleep",
    "nap": "litewf.sleep",
    "event": "litewf.set_event",
    "stream": "litewf.write_stream",
    "look": "litewf.recv",
    "wait": "litewf.recv",
}


def plain(program: Program) -> list[Any]:
    """The program as lists, which every engine can record."""
    return [[op.kind, op.name, [plain(branch) for branch in op.branches]] for op in program]


def from_plain(program: list[Any]) -> Program:
    return tuple(Op(kind, name, tuple(map(from_plain, branches))) for kind, name, branches in program)


# --- running ------------------------------------------------------------------------------------------------------


def step_called(name: str, *, fails: bool = False) -> Any:
    def body() -> str:
        if fails:
            raise ValueError(name)
        return name

    return litewf.Registry().step(name=name)(body)


def run(program: Program, child: Any) -> None:
    """Make the calls of a program in a sync workflow."""
    for op in program:
        if op.kind == "step":
            assert litewf.run_step(step_called(op.name)) == op.name
        elif op.kind == "failing":
            try:
                litewf.run_step(step_called(op.name, fails=True))
            except ValueError as error:
                assert str(error) == op.name
        elif op.kind == "now":
            litewf.now()
        elif op.kind in ("sleep", "nap"):
            litewf.sleep(LONG_S if op.kind == "nap" else 0)
        elif op.kind == "event":
            litewf.set_event("key", op.kind)
        elif op.kind == "stream":
            litewf.write_stream("key", op.kind)
        elif op.kind in ("look", "wait"):
            litewf.recv(op.kind, timeout=0 if op.kind == "look" else None, default=None)
        else:
            assert op.kind == "child"
            child(op.kind)


async def run_async(program: Program, child: Any) -> None:
    """Make the calls of a program in an async workflow."""
    for op in program:
        if op.kind == "step":
            assert await litewf.run_step_async(step_called(op.name)) == op.name
        elif op.kind == "failing":
            try:
                await litewf.run_step_async(step_called(op.name, fails=True))
            except ValueError as error:
                assert str(error) == op.name
        elif op.kind == "now":
            litewf.now()
        elif op.kind in ("sleep", "nap"):
            await litewf.sleep_async(LONG_S if op.kind == "nap" else 0)
        elif op.kind == "event":
            await litewf.set_event_async("key", op.kind)
        elif op.kind == "stream":
            await litewf.write_stream_async("key", op.kind)
        elif op.kind in ("look", "wait"):
            await litewf.recv_async(op.kind, timeout=0 if op.kind == "look" else None, default=None)
        elif op.kind == "branches":
            await asyncio.gather(*(run_async(branch, child) for branch in op.branches))
        else:
            assert op.kind == "child"
            await child(op.kind)


# --- the model ----------------------------------------------------------------------------------------------------


class Call(NamedTuple):
    """A numbered call: its name, or the program of a task; `waits` if it never ends."""

    name: str
    branch: Program | None = None
    waits: bool = False
    kept: bool = True  # whether it is in the records while it waits


def calls(program: Program) -> Iterator[Call]:
    """The calls that take a number, in order."""
    for op in program:
        if op.kind == "branches":
            yield from (Call("", branch) for branch in op.branches)
        elif op.kind == "child":
            yield Call("litewf.start:child")
            yield Call("litewf.get_result")
        else:
            yield Call(NAMES.get(op.kind, op.name), None, op.kind in ("nap", "wait"), op.kind != "wait")


class Record(NamedTuple):
    """What is recorded under one number: a name, or what a task recorded."""

    name: str
    branch: "Recorded | None" = None
    settled: bool = True


class Recorded(NamedTuple):
    """What one task recorded, and whether it came to its end."""

    records: list[Record]
    finished: bool


def recorded(program: Program) -> Recorded:
    """What an engine has recorded of a program once it has come to rest."""
    records: list[Record] = []
    together: list[Recorded] = []  # tasks that run at the same time
    for op in program:
        if op.kind == "branches":
            together = [recorded(branch) for branch in op.branches]
            records += [Record("", one) for one in together]
            if not all(one.finished for one in together):
                return Recorded(records, False)
            continue
        for call in calls((op,)):
            if call.waits:
                return Recorded(records + [Record(call.name, None, settled=False)] * call.kept, False)
            records.append(Record(call.name))
    return Recorded(records, True)


def leaves_a_trace(record: Record) -> bool:
    """Whether anything in the file tells of it: a task that waits at its first call may leave nothing."""
    return record.branch is None or any(map(leaves_a_trace, record.branch.records))


def partings(old: Recorded, new: Program, prefix: str = "", *, run_is_over: bool) -> tuple[set[str], bool]:
    """Where a program and records part, and whether the program comes to its end with them."""
    found: set[str] = set()
    number = 0
    for op in new:
        ends = []
        for call in calls((op,)):
            number += 1
            if number > len(old.records) or not leaves_a_trace(old.records[number - 1]):
                beyond = {f"{prefix}{number}"} if run_is_over and not found else set()
                if call.branch is None:
                    found |= beyond
                    if op.kind in ("now", "sleep"):  # comes at once, and is recorded with what comes next
                        continue
                    return found, False
                inner, end = partings(Recorded([], True), call.branch, f"{prefix}{number}.", run_is_over=run_is_over)
                found |= inner
                ends.append(end)
                continue
            record = old.records[number - 1]
            if (record.branch is None) != (call.branch is None) or record.name != call.name:
                return found | {f"{prefix}{number}"}, False
            if record.branch is not None and call.branch is not None:
                inner, end = partings(record.branch, call.branch, f"{prefix}{number}.", run_is_over=run_is_over)
                found |= inner
                ends.append(end)
            elif not record.settled:
                return found, False
        if not all(ends):
            return found, False
    if any(map(leaves_a_trace, old.records[number:])):
        found.add(f"{prefix}{number + 1}")
    return found, not found
