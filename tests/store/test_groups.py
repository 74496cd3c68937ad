"""Group commit: many callers share one transaction, and none of them pays for another's mistake."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import apsw
import pytest
from notes import OpenStore, insert, note, notes, write

import litewf
from litewf.store.operations import Operation, Turn, Tx
from litewf.store.store import Store
from litewf.store.transactions import Connection
from litewf.world import World


class Gate(World):
    """A world in which commits are counted, and wait while the gate is shut."""

    def __init__(self) -> None:
        super().__init__(reach=self._meet)
        self.commits = 0
        self.open = threading.Event()
        self.open.set()
        self.passes = threading.Semaphore(0)
        self.waiting = threading.Event()

    def _meet(self, point: str) -> None:
        if point == "commit.before":
            self.commits += 1
            self.waiting.set()
            deadline = time.monotonic() + 20
            while not (self.open.wait(0.001) or self.passes.acquire(blocking=False)):
                assert time.monotonic() < deadline

    def shut(self) -> None:
        self.waiting.clear()
        self.open.clear()

    def let_one_pass(self) -> None:
        """Let the commit that waits happen, and shut the gate before the next."""
        self.waiting.clear()
        self.passes.release()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def gated(open_store: OpenStore, gate: Gate) -> Store:
    return open_store(gate)


class Bell:
    """Rings once all of the operations it was given to have an outcome."""

    def __init__(self, expected: int) -> None:
        self._left = expected
        self.rung = threading.Event()

    def deliver(self, operations: object) -> None:
        self._left -= len(list(operations))  # type: ignore[call-overload]  # a sequence
        if self._left == 0:
            self.rung.set()


def gather(store: Store, gate: Gate, operations: Sequence[Operation]) -> int:
    """Let operations gather behind a commit that is under way; how many commits they took."""
    bell = Bell(len(operations) + 1)
    gate.shut()
    first = note("first")
    for operation in (first, *operations):
        operation.mailbox = bell
    store.writer.submit(first)
    assert gate.waiting.wait(20)
    before = gate.commits
    for operation in operations:
        store.writer.submit(operation)
    gate.open.set()
    assert bell.rung.wait(20)
    return gate.commits - before


def test_what_gathers_behind_a_commit_shares_the_next_one(gated: Store, gate: Gate) -> None:
    assert gather(gated, gate, [note(str(n)) for n in range(300)]) == 1
    assert len(notes(gated)) == 301


def test_a_thousand_operations_are_the_most_in_one_transaction(gated: Store, gate: Gate) -> None:
    assert gather(gated, gate, [note(str(n)) for n in range(2500)]) == 3


def test_one_failing_operation_does_not_harm_the_others_of_its_group(gated: Store, gate: Gate) -> None:
    operations = [note(str(n % 40)) for n in range(42)]  # the last two violate a constraint
    gather(gated, gate, operations)
    failed = [operation for operation in operations if operation.error is not None]
    assert [type(operation.error) for operation in failed] == [litewf.StoreError] * 2
    assert failed == operations[-2:]
    assert notes(gated) == {"first", *map(str, range(40))}


def test_an_operation_that_raises_half_way_leaves_nothing_and_harms_nobody(gated: Store, gate: Gate) -> None:
    def half(tx: Tx) -> None:
        insert("half")(tx)
        raise litewf.WorkflowStateError("refused too late")

    def broken(tx: Tx) -> None:
        insert("broken")(tx)
        raise ZeroDivisionError

    operations: list[Operation] = [note("before"), Turn(half), Turn(broken), note("after")]
    gather(gated, gate, operations)
    errors = [type(operation.error) for operation in operations]
    assert errors == [type(None), litewf.WorkflowStateError, ZeroDivisionError, type(None)]
    assert notes(gated) == {"first", "before", "after"}


def test_an_operation_that_refuses_before_it_writes_does_not_cost_the_group_its_commit(
    gated: Store, gate: Gate
) -> None:
    def refuse(_tx: Tx) -> None:
        raise litewf.WorkflowStateError("no")

    operations: list[Operation] = [note("a"), Turn(refuse), note("b")]
    assert gather(gated, gate, operations) == 1
    assert notes(gated) == {"first", "a", "b"}


def test_nobody_is_answered_before_the_commit(gated: Store, gate: Gate) -> None:
    gate.shut()
    operation = note("slow")
    bell = Bell(1)
    operation.mailbox = bell
    gated.writer.submit(operation)
    assert gate.waiting.wait(20)
    assert not bell.rung.is_set()
    gate.open.set()
    assert bell.rung.wait(20)
    assert notes(gated) == {"slow"}


def test_starts_of_many_tasks_share_commits(path: Path, registry: litewf.Registry, gate: Gate) -> None:
    @registry.workflow
    async def nothing() -> None:
        return None

    async def main() -> int:
        async with litewf.Engine(path, registry=registry, world=gate) as engine:
            before = gate.commits
            handles = await asyncio.gather(*(engine.start_workflow_async(nothing) for _ in range(500)))
            await asyncio.gather(*(handle.get_result_async() for handle in handles))
            return gate.commits - before

    assert asyncio.run(main()) < 100  # a thousand, one by one


def test_steps_of_many_threads_share_commits(path: Path, registry: litewf.Registry, gate: Gate) -> None:
    @registry.step
    def one() -> int:
        return 1

    @registry.workflow
    def flow() -> int:
        return sum(one() for _ in range(5))

    with litewf.Engine(path, registry=registry, world=gate, max_threads=50) as engine:
        before = gate.commits
        handles = [engine.start_workflow(flow) for _ in range(100)]
        assert [handle.get_result() for handle in handles] == [5] * 100
        assert gate.commits - before < 600  # seven each, one by one


def test_a_transaction_of_its_own_gets_its_turn_while_others_keep_writing(store: Store) -> None:
    stop = threading.Event()
    done = threading.Event()

    def keep_writing(name: int) -> None:
        at = 0
        while not stop.is_set():
            at += 1
            store.writer.turn(insert(f"{name}.{at}"), inline=True)

    def transact() -> None:
        for at in range(20):
            store.transactions.run(partial(_insert, text=f"mine {at}"))
        done.set()

    with ThreadPoolExecutor(5) as pool:
        for name in range(4):
            pool.submit(keep_writing, name)
        pool.submit(transact)
        finished = done.wait(20)
        stop.set()
    assert finished
    assert {f"mine {at}" for at in range(20)} <= notes(store)


def _insert(connection: Connection, text: str) -> None:
    connection.execute("INSERT INTO note VALUES (?)", (text,))


def test_a_transaction_that_waits_for_one_inline_commit_is_woken_by_its_end(gated: Store, gate: Gate) -> None:
    """Nothing is queued behind either, so nobody else would wake it."""
    gate.shut()
    with ThreadPoolExecutor(2) as pool:
        inline = pool.submit(lambda: gated.writer.turn(insert("inline"), inline=True))
        assert gate.waiting.wait(20)
        waits = pool.submit(gated.transactions.run, lambda connection: _insert(connection, "mine"))
        while not gated.writer._bells:  # it stands in line now
            pass
        gate.open.set()
        inline.result(10)
        waits.result(10)
    assert notes(gated) == {"inline", "mine"}


def test_what_is_withdrawn_before_it_is_taken_is_never_written(gated: Store, gate: Gate) -> None:
    gate.shut()
    first, second = note("first"), note("second")
    bell = Bell(1)
    first.mailbox = second.mailbox = bell
    gated.writer.submit(first)
    assert gate.waiting.wait(20)
    gated.writer.submit(second)
    assert gated.writer.withdraw(second)
    assert not gated.writer.withdraw(first)
    gate.open.set()
    assert bell.rung.wait(20)
    write(gated, "last")
    assert notes(gated) == {"first", "last"}


def test_a_foreign_commit_is_noticed_although_the_writer_is_never_idle(gated: Store, gate: Gate, path: Path) -> None:
    """Whoever only looks when nothing is to be written never hears of a cancel by another process."""
    assert gated.writer.changed_by_others() is False
    first, second = note("first"), note("second")
    bell = Bell(2)
    first.mailbox = second.mailbox = bell
    gate.shut()
    gated.writer.submit(first)
    assert gate.waiting.wait(20)
    foreign = apsw.Connection(str(path))
    foreign.execute("INSERT INTO note VALUES ('foreign')").fetchall()
    foreign.close()
    assert gated.writer.changed_by_others() is False  # it cannot look now
    gated.writer.submit(second)
    gate.let_one_pass()
    assert gate.waiting.wait(20)
    assert gated.writer.changed_by_others() is True
    assert gated.writer.changed_by_others() is False
    gate.open.set()
    assert bell.rung.wait(20)
