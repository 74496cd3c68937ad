"""Builds the file with a million finished workflows: litewf runs a thousand, SQL multiplies them on the closed file.

The copies have ids and keys of their own and every record of the originals. The only place outside the store that knows
its tables; a column that is no longer there, or one that would have to differ in each copy, stops it.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Final

import apsw

from litewf.cli.benchmarks import ours
from litewf.cli.benchmarks.raw import REPEATS

if TYPE_CHECKING:
    from pathlib import Path

ORIGINALS: Final = 1_000
STEPS: Final = 5

# Each table with the column that holds the workflow's key; `step` also has a key of its own, given out by SQLite.
TABLES: Final = {"workflow": "key", "request": "workflow", "outcome": "workflow", "step": "workflow"}
OWN_KEY: Final = {"step": "key"}
UNIQUE_ID: Final = "id"
ORDER: Final = {"step": "step"}

# Ids as litewf makes them (UUIDv7), from a time before the first release: a file's history comes before its present.
OLD_ID: Final = "printf('018f%04x-%04x-7000-8000-%012x', n >> 16, n & 0xffff, key)"


def finished(path: Path, workflows: int = 1_000_000, steps: int = STEPS) -> dict[str, float]:
    """Leave a file at `path` with so many finished workflows of so many steps."""
    ours.async_steps(path, ORIGINALS // REPEATS, steps)
    with closing(apsw.Connection(str(path))) as connection:
        _multiply(connection, workflows // ORIGINALS - 1)
        _check(connection, workflows, steps)
    _write_back(path)
    return {"workflows": workflows, "bytes": path.stat().st_size}


def _multiply(connection: apsw.Connection, copies: int) -> None:
    connection.pragma("foreign_keys", False)  # the parents come in the same transaction
    connection.pragma("synchronous", 0)  # made durable once, at the end
    [span] = connection.execute("SELECT max(key) FROM workflow").fetchone() or (None,)
    with connection:
        for table in TABLES:
            connection.execute(_copy_statement(connection, table), {"copies": copies, "span": span})
    connection.pragma("wal_checkpoint", "TRUNCATE")


def _copy_statement(connection: apsw.Connection, table: str) -> str:
    known = {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
    if TABLES[table] not in known or OWN_KEY.get(table, TABLES[table]) not in known:
        raise RuntimeError(f"the table {table} is not what {__name__} knows: {sorted(known)}")
    changed = {TABLES[table]: f"{TABLES[table]} + n * :span"}
    if table == "workflow":
        changed[UNIQUE_ID] = OLD_ID
    columns = sorted(known - {OWN_KEY.get(table)})
    chosen = ", ".join(changed.get(column, column) for column in columns)
    order = ", ".join(["n", TABLES[table], *([ORDER[table]] if table in ORDER else [])])
    return f"""
        WITH RECURSIVE copy (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM copy WHERE n < :copies)
        INSERT INTO {table} ({", ".join(columns)})
        SELECT {chosen} FROM copy CROSS JOIN (SELECT * FROM {table} ORDER BY {TABLES[table]}) ORDER BY {order}
    """


def _check(connection: apsw.Connection, workflows: int, steps: int) -> None:
    counts = {
        "finished workflows": ("SELECT count(*) FROM workflow WHERE status = 'SUCCESS'", workflows),
        "steps": ("SELECT count(*) FROM step", workflows * steps),
        "outcomes": ("SELECT count(*) FROM outcome", workflows),
        "violations": ("SELECT count(*) FROM pragma_foreign_key_check", 0),
    }
    for what, (sql, expected) in counts.items():
        [found] = connection.execute(sql).fetchone() or (None,)
        if found != expected:
            raise RuntimeError(f"the file has {found} {what} instead of {expected}")


def _write_back(path: Path) -> None:
    """Nothing of the building may still be on its way to the disk when a measurement begins."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
