"""From any older file to the schema of this code, or not at all."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest
from disk import FULL, Disk

import litewf
from litewf.records import STATUSES
from litewf.store import migrate as migrating
from litewf.store.mailboxes import deliver
from litewf.store.place import APPLICATION_ID
from litewf.store.store import Store
from litewf.world import World

NEXT = """
ALTER TABLE store ADD COLUMN motto TEXT;
CREATE TABLE later (key INTEGER PRIMARY KEY, what TEXT NOT NULL) STRICT;
INSERT INTO later (what) SELECT store_id FROM store;
UPDATE store SET motto = 'new';
"""
LAUNCH = """
import sys, litewf
sys.stdin.readline()
with litewf.Engine(sys.argv[1], registry=litewf.Registry()) as engine:
    print(engine.list_workflows(), flush=True)
"""


def launch(path: Path) -> None:
    with litewf.Engine(path, registry=litewf.Registry()):
        pass


def migrate_only(path: Path) -> None:
    """What code that knows no more than these migrations does first."""
    store = Store(path, "full", World(), deliver)
    store.writer.start()
    store.close(1.0)


def contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir() if not file.name.endswith("-shm")}


def schema(path: Path) -> tuple[object, list[Any]]:
    connection = apsw.Connection(str(path))
    try:
        tables = connection.execute("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name").fetchall()
        return connection.pragma("user_version"), tables
    finally:
        connection.close()


TODAY = migrating.migrations()


def know_of(monkeypatch: pytest.MonkeyPatch, *known: str) -> None:
    """Let the code be one that has these migrations."""
    monkeypatch.setattr(migrating, "migrations", lambda: known)
    monkeypatch.setattr("litewf.store.store.migrations", lambda: known)


@pytest.fixture
def one_more_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    know_of(monkeypatch, *TODAY, NEXT)


def test_a_new_file_says_whose_it_is_and_which_schema_it_has(path: Path) -> None:
    launch(path)
    connection = apsw.Connection(str(path))
    assert connection.pragma("application_id") == APPLICATION_ID
    assert connection.pragma("user_version") == len(migrating.migrations())
    connection.close()


def test_an_older_file_is_brought_up_to_date_with_its_data(path: Path, request: pytest.FixtureRequest) -> None:
    launch(path)
    request.getfixturevalue("one_more_migration")
    launch(path)
    connection = apsw.Connection(str(path))
    rows = connection.execute("SELECT store_id, motto, what FROM store, later").fetchall()
    assert connection.pragma("user_version") == len(TODAY) + 1
    connection.close()
    assert len(rows) == 1
    assert rows[0][0] == rows[0][2]


@pytest.mark.parametrize("known", range(len(TODAY) + 1))
def test_a_migration_that_is_interrupted_at_any_write_leaves_the_old_schema_or_the_new_one(
    path: Path, disk: Disk, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, known: int
) -> None:
    """A14, A2."""
    before: Any = (0, [])
    if known:
        know_of(monkeypatch, *TODAY[:known])
        migrate_only(path)
        before = schema(path)
        monkeypatch.undo()
    template = contents(path.parent)
    request.getfixturevalue("one_more_migration")
    launch(path)
    after = schema(path)
    met: list[Any] = []
    while after not in met:
        for file in path.parent.iterdir():
            file.unlink()
        for name, data in template.items():
            (path.parent / name).write_bytes(data)
        disk.fail("write", "-wal", FULL, at=len(met) + 1, times=10_000)
        with pytest.raises(litewf.StoreFullError):
            launch(path)
        disk.heal()
        met.append(schema(path))
    assert met[0] == before
    assert all(one in (before, after) for one in met)


def test_a_migration_whose_process_dies_inside_it_is_begun_anew(path: Path) -> None:
    class Killed(BaseException):
        pass

    def die(point: str) -> None:
        if point.startswith("migration"):
            raise Killed

    with pytest.raises(Killed):
        Store(path, "full", World(reach=die), deliver)
    launch(path)
    assert schema(path)[0] == len(migrating.migrations())


def test_processes_that_launch_on_a_new_file_at_once_all_succeed(path: Path) -> None:
    root = str(Path(litewf.__file__).parents[1])
    children = [
        subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": root}, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    outcomes = [child.communicate(timeout=30) for child in children]
    assert outcomes == [("[]\n", "")] * 4
    connection = apsw.Connection(str(path))
    assert connection.execute("SELECT count(*) FROM store").get == 1
    connection.close()


def test_a_file_of_a_newer_litewf_is_refused_byte_for_byte_untouched(path: Path) -> None:
    """A14."""
    launch(path)
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 999)
    connection.close()
    before = contents(path.parent)
    with pytest.raises(litewf.StoreVersionError, match=r"newer litewf.*999"):
        launch(path)
    assert contents(path.parent) == before


def test_a_newer_schema_that_is_only_in_the_wal_is_refused_untouched(path: Path) -> None:
    launch(path)
    connection = apsw.Connection(str(path))
    connection.wal_autocheckpoint(0)
    connection.pragma("user_version", 999)
    before = contents(path.parent)
    with pytest.raises(litewf.StoreVersionError, match=r"newer litewf.*999"):
        launch(path)
    assert contents(path.parent) == before
    connection.close()


@pytest.mark.parametrize("in_wal", [True, False])
def test_a_file_of_another_program_is_refused_untouched(path: Path, in_wal: bool) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.execute("CREATE TABLE theirs (x)").fetchall()
    connection.wal_checkpoint()
    connection.wal_autocheckpoint(0)
    connection.pragma("application_id", 0x12345678)
    connection.pragma("user_version", 1)
    if not in_wal:
        connection.close()
    before = contents(path.parent)
    with pytest.raises(litewf.StoreUnsupportedError, match=r"another program"):
        launch(path)
    assert {
        name: text for name, text in contents(path.parent).items() if "-turn" not in name and "-next" not in name
    } == before
    connection.close()


def test_a_plain_database_with_a_table_of_the_same_name_is_refused_with_its_data(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE workflow (mine); INSERT INTO workflow VALUES (1)").fetchall()
    connection.close()
    with pytest.raises(litewf.StoreError, match=r"set up.*workflow"):
        launch(path)
    connection = apsw.Connection(str(path))
    assert connection.execute("SELECT mine FROM workflow").fetchall() == [(1,)]
    assert connection.pragma("user_version") == 0
    connection.close()


def test_litewf_moves_into_a_plain_database_beside_the_tables_of_its_user(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE mine (x); INSERT INTO mine VALUES (7)").fetchall()
    connection.close()
    with litewf.Engine(path, registry=litewf.Registry()) as engine:
        assert engine.query("SELECT x FROM mine") == [(7,)]


def test_every_table_is_strict_and_every_index_is_partial_or_unique(path: Path) -> None:
    launch(path)
    connection = apsw.Connection(str(path))
    lax = [name for name, strict in connection.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
           if not strict and not name.startswith("sqlite_")]  # fmt: skip
    whole = [sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")
             if " WHERE " not in sql and "UNIQUE" not in sql]  # fmt: skip
    connection.close()
    assert lax == []
    # The wait table holds unfinished work only; the others are the only way into a table whose rows stay.
    allowed = {"wait_workflow", "event_name", "cloud_event_type", "cloud_event_accepted", "taking_event"}
    assert {sql.split()[2] for sql in whole} == allowed


def test_the_file_takes_every_status_that_there_is_and_no_other(path: Path) -> None:
    @litewf.workflow
    def waits_its_turn() -> None: ...

    with litewf.Engine(path, queues=[]) as engine:
        engine.enqueue("later", waits_its_turn)
    connection = apsw.Connection(str(path))

    def takes(table: str, column: str, value: str, rest: str = "") -> bool:
        connection.execute("BEGIN")
        try:
            connection.execute(f"UPDATE {table} SET {column} = ?{rest}", (value,))
        except apsw.ConstraintError:
            return False
        finally:
            connection.execute("ROLLBACK")
        return True

    for status in STATUSES:
        assert takes("workflow", "status", status, ", phase = 'ready'" if status == "PENDING" else ""), status
    for phase in ("ready", "running", "parked", "stopping", "held"):
        assert takes("workflow", "phase", phase, f", status = 'PENDING', held = {'1' if phase == 'held' else 'NULL'}")
    for state in ("waiting", "started", "ended", "delayed", "behind", "held"):
        assert takes("task", "state", state)
    assert not takes("workflow", "status", "PAUSED")
    assert not takes("workflow", "phase", "paused", ", status = 'PENDING'")
    assert not takes("task", "state", "paused")
    connection.close()
