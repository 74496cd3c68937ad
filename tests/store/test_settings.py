"""How connections are set up, and which SQLite is trusted."""

from pathlib import Path
from typing import Any

import apsw
import pytest

import litewf
from litewf.store.database import Durability, open_reader, open_writer
from litewf.store.store import Store


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
def test_a_writer_has_the_settings_that_keep_commits(path: Path, durability: Durability, synchronous: int) -> None:
    connection = open_writer(path, durability)
    read_back = {name: connection.pragma(name) for name in ("journal_mode", "synchronous", "wal_autocheckpoint")}
    connection.close()
    assert read_back == {"journal_mode": "wal", "synchronous": synchronous, "wal_autocheckpoint": 0}


def test_every_connection_enforces_foreign_keys_and_trusts_no_schema(path: Path) -> None:
    writer = open_writer(path, "full")
    reader = open_reader(path)
    for connection in (writer, reader):
        assert connection.pragma("foreign_keys") == 1
        assert connection.pragma("trusted_schema") == 0
        connection.close()


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(litewf.StoreError, match="ReadOnly|readonly|writable"):
        store.read(lambda connection: connection.execute("INSERT INTO note VALUES ('x')").fetchall())


def test_a_reader_never_checkpoints(path: Path) -> None:
    open_writer(path, "full").close()
    reader = open_reader(path)
    assert reader.pragma("wal_autocheckpoint") == 0
    assert reader.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1)
    reader.close()


def test_a_setting_that_sqlite_refuses_is_an_error_that_names_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = apsw.Connection.pragma

    class Stubborn(apsw.Connection):
        def pragma(self, name: str, *value: Any, **options: Any) -> Any:
            answer = original(self, name, *value, **options)
            return "delete" if name == "journal_mode" else answer

    monkeypatch.setattr(apsw, "Connection", Stubborn)
    with pytest.raises(litewf.StoreUnsupportedError, match="journal_mode=wal"):
        litewf.Engine(path, registry=litewf.Registry()).launch()


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.52.0"])
def test_an_sqlite_that_can_corrupt_a_wal_is_refused_before_the_file_is_made(
    path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: version)
    with pytest.raises(litewf.StoreVersionError, match=f"SQLite {version}.*pip install"):
        litewf.Engine(path, registry=litewf.Registry()).launch()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("version", ["3.51.3", "3.52.1", "3.54.0", "4.0.0"])
def test_an_sqlite_that_is_sound_is_accepted(path: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: version)
    with litewf.Engine(path, registry=litewf.Registry()):
        assert path.exists()


def test_hooks_that_the_host_program_puts_on_every_connection_do_no_harm(
    path: Path, registry: litewf.Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(connection: apsw.Connection) -> None:
        connection.pragma("recursive_triggers", 1)
        connection.row_trace = lambda cursor, row: {"row": row}
        connection.exec_trace = lambda cursor, sql, bindings: True
        connection.authorizer = lambda *_: apsw.SQLITE_DENY
        connection.set_commit_hook(lambda: True)
        connection.set_progress_handler(lambda: True, 1)
        connection.transaction_mode = "DEFERRED"

    monkeypatch.setattr(apsw, "connection_hooks", [odd])

    @registry.workflow
    def hello() -> str:
        return "hello"

    with litewf.Engine(path, registry=registry) as engine:
        assert engine.run_workflow(hello) == "hello"
        assert [flow.name for flow in engine.list_workflows()] == [hello.name]


def test_a_hook_of_the_host_program_that_raises_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_connection: apsw.Connection) -> None:
        raise RuntimeError("the hook is broken")

    monkeypatch.setattr(apsw, "connection_hooks", [broken])
    with pytest.raises(litewf.StoreError, match=r"connection_hooks.*the hook is broken"):
        litewf.Engine(path, registry=litewf.Registry()).launch()
