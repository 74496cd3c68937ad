"""The SQLite of the standard library may be old: it never checkpoints, and has the settings that keep commits."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import litewf
from litewf.store import standard
from tests.clients.test_async_client import beside, path, run

__all__ = ["path"]  # a file that is there


def pragmas(path: Path, *names: str) -> dict[str, Any]:
    """As the writing connection of an AsyncClient answers."""
    connection = standard.open_writer(path, "full")
    try:
        return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names}
    finally:
        connection.close()


def test_its_connections_have_the_settings_that_keep_commits(path: Path) -> None:
    found = pragmas(path, "journal_mode", "synchronous", "wal_autocheckpoint", "foreign_keys", "trusted_schema")
    assert found == {
        "journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0, "foreign_keys": 1, "trusted_schema": 0,
    }  # fmt: skip


def test_a_setting_that_the_library_refuses_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = standard.Standard.pragma

    def stubborn(self: standard.Standard, name: str, value: Any = None) -> Any:
        answer = original(self, name, value)
        return "delete" if name == "journal_mode" else answer

    monkeypatch.setattr(standard.Standard, "pragma", stubborn)
    with pytest.raises(litewf.StoreUnsupportedError, match=r"SQLite of this Python .* refused journal_mode=wal"):
        run(litewf.AsyncClient(path).list_workflows())


@pytest.mark.parametrize("killed", [False, True], ids=["closed", "killed"])
def test_even_the_last_to_close_leaves_the_wal_as_it_is(path: Path, killed: bool) -> None:
    """Closing would copy it into the file and remove it, which is a checkpoint."""
    code = """
import asyncio, os, sys, litewf
async def main():
    async with litewf.AsyncClient(sys.argv[1], registry=litewf.Registry()) as client:
        for n in range(5):
            await client.enqueue("q", "flow", n)
        await asyncio.gather(*(client.query("SELECT 1") for _ in range(8)))
        await client.transact(lambda conn: list(conn.execute("CREATE TABLE mine (x)")))
        if sys.argv[2] == "True":
            os.kill(os.getpid(), 9)
asyncio.run(main())
"""
    before = beside(path)
    subprocess.run([sys.executable, "-c", code, str(path), str(killed)], check=not killed, timeout=60)
    after = beside(path)
    assert after[path.name] == before[path.name]
    assert f"{path.name}-wal" in after
    with litewf.Client(path) as client:
        assert len(client.list_workflows()) == 5
        assert client.query("SELECT * FROM mine") == []


def test_it_never_begins_the_wal_anew(path: Path, registry: litewf.Registry) -> None:
    """However long it gets: SQLite copies it after a thousand pages by default."""

    async def main() -> int:
        async with litewf.AsyncClient(path, registry=registry) as client:
            await client.enqueue(
                "q", litewf.Registry().workflow(name="flow")(lambda: None).with_options(workflow_id="w")
            )
            for _ in range(3):
                await client.send_bulk([litewf.Message("w", "x" * 4000) for _ in range(700)])
            return path.with_name(f"{path.name}-wal").stat().st_size

    size = path.stat().st_size
    assert run(main()) > 2000 * 4096
    assert path.stat().st_size == size


def test_an_empty_file_gets_its_tables_as_an_engine_makes_them(tmp_path: Path) -> None:
    tables = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
    found = []
    for name in ("ours.db", "engines.db"):
        path = tmp_path / name
        path.touch()
        if name == "ours.db":
            assert run(litewf.AsyncClient(path).list_workflows()) == []
        with litewf.Engine(path, registry=litewf.Registry()) as engine:
            found.append(engine.query(tables))
    assert found[0] == found[1]


def test_a_damaged_wal_is_refused_as_an_engine_refuses_it(path: Path, registry: litewf.Registry) -> None:
    """An SQLite that reads it would take the damage for the end, and forget what is behind."""

    async def main() -> None:
        async with litewf.AsyncClient(path, registry=registry) as client:
            for n in range(5):
                await client.enqueue("q", "flow", n)

    run(main())
    wal = path.with_name(f"{path.name}-wal")
    content = bytearray(wal.read_bytes())
    content[32 + 24 + 100] ^= 1  # in the first page of the first frame
    wal.write_bytes(content)
    with pytest.raises(litewf.StoreCorruptError, match="is damaged"):
        run(main())
    assert wal.read_bytes() == content
