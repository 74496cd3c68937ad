"""No caller ever sees an exception of SQLite's binding, whatever fails and whenever."""

from contextlib import suppress
from pathlib import Path

import apsw
import pytest
from disk import Disk
from notes import insert, write

import litewf
from litewf.store.store import Store

CODES = {"I/O": apsw.SQLITE_IOERR, "corrupt": apsw.SQLITE_CORRUPT, "not a database": apsw.SQLITE_NOTADB,
         "cannot open": apsw.SQLITE_CANTOPEN, "full": apsw.SQLITE_FULL}  # fmt: skip
OPERATIONS = [("open", "db"), ("open", "-wal"), ("read", "db"), ("read", "-wal"), ("write", "db"), ("write", "-wal"),
              ("sync", "-wal"), ("sync", "db")]  # fmt: skip


def use(path: Path) -> None:
    """One call of each kind on a file."""
    registry = litewf.Registry()

    @registry.step
    def one() -> int:
        return 1

    @registry.workflow
    def flow() -> int:
        return one()

    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    try:
        engine.start_workflow(flow).get_result(timeout=20)
        engine.list_workflows()
        engine.transact(lambda connection: connection.execute("CREATE TABLE mine (x)"))
        engine.query("SELECT * FROM mine")
        engine.backup(path.with_name("backup.db"))
        engine.prune(older_than=0)
    finally:
        engine.shutdown(timeout=2)


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        pytest.param(*pair, id=" ".join(pair), marks=() if pair == ("read", "db") else pytest.mark.nightly)
        for pair in OPERATIONS
    ],
)
@pytest.mark.parametrize("code", CODES)
def test_whatever_fails_the_caller_gets_an_error_of_litewf(
    tmp_path: Path, disk: Disk, operation: str, kind: str, code: str
) -> None:
    """Fault loop: the 1st, 2nd, 3rd ... operation of a kind fails, until a run meets no fault any more."""
    for at in range(1, 200):
        directory = tmp_path / str(at)
        directory.mkdir()
        disk.trace.clear()
        disk.fail(operation, kind, CODES[code], at=at)
        with suppress(litewf.LitewfError):
            use(directory / "x.db")
        disk.heal()
        if (f"failed {operation}", kind) not in disk.trace:
            return
    pytest.fail("there is no end of it")


def test_an_error_in_the_sql_of_a_query_is_named(store: Store) -> None:
    with pytest.raises(litewf.StoreError, match="no such table: nowhere"):
        store.read(lambda connection: connection.execute("SELECT * FROM nowhere").fetchall())


def test_text_that_is_damaged_is_a_corrupt_file(store: Store) -> None:
    store.writer.turn(lambda tx: tx.connection.execute("INSERT INTO note VALUES (CAST(x'FF' AS TEXT))").fetchall())
    with pytest.raises(litewf.StoreCorruptError, match="text"):
        store.read(lambda connection: connection.execute("SELECT text FROM note").fetchall())


def test_a_constraint_that_is_violated_is_an_error_of_the_store(store: Store) -> None:
    write(store, "twice")
    with pytest.raises(litewf.StoreError, match="ConstraintError"):
        store.writer.turn(insert("twice"))


def test_a_file_that_another_tool_keeps_locked_is_named_so(
    store: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.writer._file.live.set_busy_timeout(10)
    foreign = apsw.Connection(str(path))
    foreign.execute("BEGIN IMMEDIATE").fetchall()
    with pytest.raises(litewf.StoreLockedError, match="another program"):
        write(store, "refused")
    foreign.execute("ROLLBACK").fetchall()
    foreign.close()
    write(store, "after")
    del monkeypatch


def test_a_file_that_is_no_database_is_refused_untouched(path: Path) -> None:
    path.write_bytes(b"hello, world" * 100)
    with pytest.raises(litewf.StoreCorruptError, match="not a SQLite database"):
        litewf.Engine(path, registry=litewf.Registry()).launch()
    assert path.read_bytes() == b"hello, world" * 100
    assert [file.name for file in path.parent.iterdir()] == [path.name]
