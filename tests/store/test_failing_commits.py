"""A commit that raises may have happened: nothing more is written before the file was opened and read again."""

from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from disk import SYNC_FAILED, WRITE_FAILED, Disk
from notes import OpenStore, notes, write

import litewf
from litewf.store.operations import Tx
from litewf.store.store import Store


@pytest.fixture
def store(disk: Disk, open_store: OpenStore) -> Store:
    store = open_store()
    write(store, "before")
    return store


def test_a_commit_whose_sync_fails_has_an_unknown_outcome(store: Store, disk: Disk) -> None:
    disk.fail("sync", "-wal", SYNC_FAILED)
    with pytest.raises(litewf.OutcomeUnknownError, match="may or may not have happened"):
        write(store, "lost")


def test_the_file_is_opened_again_before_the_next_write(store: Store, disk: Disk) -> None:
    """A9: nothing is committed between a failed commit and a new opening."""
    disk.fail("sync", "-wal", SYNC_FAILED)
    with pytest.raises(litewf.OutcomeUnknownError):
        write(store, "lost")
    failed_at = len(disk.trace)
    write(store, "after")
    after = disk.trace[failed_at:]
    assert ("open", "db") in after
    assert after.index(("open", "db")) < after.index(("write", "-wal"))


def test_what_a_failed_commit_left_in_the_wal_never_comes_back_unseen(store: Store, disk: Disk, path: Path) -> None:
    disk.fail("sync", "-wal", SYNC_FAILED)
    with pytest.raises(litewf.OutcomeUnknownError):
        write(store, "ghost")
    write(store, "after")
    seen = notes(store)
    disk.heal()
    store.close(5)
    connection = apsw.Connection(str(path))
    assert {text for (text,) in connection.execute("SELECT text FROM note")} == seen
    connection.close()


def test_while_it_cannot_be_opened_again_every_write_is_refused_and_reading_goes_on(store: Store, disk: Disk) -> None:
    notes(store)  # leaves an open connection behind
    disk.rule = lambda operation, kind: (
        SYNC_FAILED if (operation, kind) == ("sync", "-wal") else apsw.SQLITE_CANTOPEN if operation == "open" else None
    )
    with pytest.raises(litewf.OutcomeUnknownError):
        write(store, "lost")
    for _ in range(3):
        with pytest.raises(litewf.StoreError):
            write(store, "refused")
        assert "before" in notes(store)
    disk.heal()
    write(store, "after")
    assert {"before", "after"} <= notes(store)
    assert "refused" not in notes(store)


def test_a_write_that_fails_before_the_commit_has_not_happened(store: Store, disk: Disk) -> None:
    def large(tx: object) -> None:  # more than the cache holds, so that pages are written before the commit
        tx.connection.execute(  # type: ignore[attr-defined]
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
            " INSERT INTO note SELECT i || printf('%.*c', 1000000, 'x') FROM n"
        ).fetchall()

    disk.fail("write", "-wal", WRITE_FAILED)
    with pytest.raises(litewf.StoreError) as caught:
        store.writer.turn(large)
    assert not isinstance(caught.value, litewf.OutcomeUnknownError)
    disk.heal()
    write(store, "after")
    assert notes(store) == {"before", "after"}


def test_a_transaction_whose_commit_fails_has_an_unknown_outcome_and_the_file_is_opened_again(
    store: Store, disk: Disk
) -> None:
    store.transactions.run(lambda connection: connection.execute("INSERT INTO note VALUES ('warm')"))
    disk.fail("sync", "-wal", SYNC_FAILED)
    with pytest.raises(litewf.OutcomeUnknownError):
        store.transactions.run(lambda connection: connection.execute("INSERT INTO note VALUES ('lost')"))
    failed_at = len(disk.trace)
    write(store, "after")
    after = disk.trace[failed_at:]
    assert after.index(("open", "db")) < after.index(("write", "-wal"))


def test_a_turn_that_fails_in_the_middle_of_rows_leaves_nothing_half_read_in_the_way_of_the_next_write(
    store: Store, path: Path
) -> None:
    """The error keeps the frames alive that read, and with them a statement that would hold an old snapshot."""

    def read(tx: Tx) -> list[str]:
        return [text for (text,) in tx.connection.execute("SELECT text FROM note")]

    write(store, "after it")
    store.writer.turn(
        lambda tx: tx.connection.execute("UPDATE note SET text = CAST(x'FF' AS TEXT) WHERE text = 'before'").fetchall()
    )
    with pytest.raises(litewf.StoreCorruptError, match="text") as kept:
        store.writer.turn(read)
    other = apsw.Connection(str(path))
    other.execute("INSERT INTO note VALUES ('of another')").fetchall()
    other.close()
    write(store, "the next")
    assert kept.value.__cause__ is not None


# --- with an engine -----------------------------------------------------------------------------------------------

Bodies = list[str]


def program(registry: litewf.Registry, bodies: Bodies) -> Callable[[], str]:
    """A workflow that uses what the core has; every body says that it ran."""

    @registry.step
    def first() -> int:
        bodies.append("first")
        return 1

    @registry.step
    def second(number: int) -> int:
        bodies.append("second")
        return number + 1

    @registry.workflow
    def child(number: int) -> int:
        return second(number) + second(number)

    @registry.workflow
    def flow() -> str:
        one = first()
        litewf.sleep(0.001)
        handle = litewf.start_workflow(child, one)
        return f"{handle.get_result()} after {one}"

    return flow


EXPECTED = ["first", "second", "second"]


@pytest.mark.parametrize("linger", [0, None])
@pytest.mark.parametrize(
    ("operation", "code"),
    [
        pytest.param("sync", SYNC_FAILED, id="sync"),
        pytest.param("write", WRITE_FAILED, id="write", marks=pytest.mark.nightly),
    ],
)
def test_whichever_operation_of_the_wal_fails_once_everything_ends_well_and_no_body_runs_twice(
    tmp_path: Path, disk: Disk, operation: str, code: int, linger: int | None
) -> None:
    """Fault loop: the 1st, 2nd, 3rd ... operation fails, until a run meets no fault any more."""
    at, met = 0, True
    while met:
        at += 1
        registry, bodies = litewf.Registry(), Bodies()
        flow = program(registry, bodies)
        with litewf.Engine(tmp_path / f"{at}.db", registry=registry, linger=linger) as engine:
            disk.trace.clear()
            disk.fail(operation, "-wal", code, at=at)
            handle = start_until_known(engine, flow)
            assert handle.get_result(timeout=20) == "4 after 1"
            assert sorted(bodies) == EXPECTED
            met = (f"failed {operation}", "-wal") in disk.trace
            disk.heal()
    assert at > 5


@pytest.mark.parametrize("linger", [0, None])
def test_whichever_commit_came_true_although_it_raised_nothing_is_stranded_and_no_body_runs_twice(
    tmp_path: Path, linger: int | None
) -> None:
    """A5: an error after the fact: the file has what its writer believes lost."""
    at, met = 0, True
    while met:
        at += 1
        registry, bodies = litewf.Registry(), Bodies()
        flow = program(registry, bodies)
        with litewf.Engine(tmp_path / f"{at}.db", registry=registry, linger=linger) as engine:
            hook = RaisesAfterCommit(at)
            hook.put_on(engine)
            handle = start_until_known(engine, flow)
            assert handle.get_result(timeout=20) == "4 after 1"
            assert sorted(bodies) == EXPECTED
        met = hook.raised
    assert at > 5


class RaisesAfterCommit:
    """SQLite calls it when the commit is durable; what it raises looks like a failure of the commit."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._seen = 0
        self.raised = False

    def put_on(self, engine: litewf.Engine) -> None:
        assert engine._live is not None
        writer = engine._live.store.writer
        writer.exclusively(lambda: writer._file.live.set_wal_hook(self), lambda: None)

    def __call__(self, _connection: apsw.Connection, _name: str, _frames: int) -> int:
        self._seen += 1
        if self._seen == self._at:
            self.raised = True
            raise apsw.IOError("after the fact")
        return apsw.SQLITE_OK


def start_until_known(engine: litewf.Engine, flow: object) -> litewf.WorkflowHandle[str]:
    """Repeating the call with the same id is safe."""
    while True:
        try:
            return engine.start_workflow(flow.with_options(workflow_id="once"))  # type: ignore[attr-defined]
        except litewf.StoreError:
            continue


def test_a_start_whose_outcome_was_unknown_runs_once_however_often_it_is_repeated(
    path: Path, disk: Disk, registry: litewf.Registry
) -> None:
    """A6, after an unknown outcome."""
    bodies: Bodies = []
    flow = program(registry, bodies)
    with litewf.Engine(path, registry=registry) as engine:
        disk.fail("sync", "-wal", SYNC_FAILED)
        with pytest.raises(litewf.OutcomeUnknownError):
            engine.start_workflow(flow.with_options(workflow_id="once"))  # type: ignore[attr-defined]
        handles = [start_until_known(engine, flow) for _ in range(5)]
        assert {handle.get_result(timeout=20) for handle in handles} == {"4 after 1"}
    assert sorted(bodies) == EXPECTED


def test_an_error_of_the_disk_in_a_workflow_is_never_an_exception_of_its_code(
    path: Path, disk: Disk, registry: litewf.Registry
) -> None:
    refunds = []

    @registry.step
    def pay() -> None:
        disk.fail("sync", "-wal", SYNC_FAILED, times=2)

    @registry.workflow
    def order() -> str:
        try:
            pay()
            litewf.sleep(0.001)
        except Exception as error:
            refunds.append(error)
        return "sent"

    with litewf.Engine(path, registry=registry, linger=0) as engine:
        assert engine.start_workflow(order).get_result(timeout=20) == "sent"
    assert refunds == []
