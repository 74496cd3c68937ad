"""What retention may take: finished workflows that are too old or too many, their long histories, and free pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import apsw

from litewf.store.operations import Tx
from litewf.store.wide import integers

UNREFERENCED = """
    completed_us IS NOT NULL AND owner IS NULL AND NOT EXISTS
    (SELECT 1 FROM workflow AS above WHERE above.key = workflow.parent AND above.completed_us IS NULL)
"""
FOR_EVER = 1 << 62


class Limit(NamedTuple):
    """Which finished workflows may go: those that ended before a time, or up to a key.

    What seems to be created after `now_us` was created while the clock was wrong, and says nothing of what follows it.
    """

    now_us: int
    before_us: int = FOR_EVER
    up_to_key: int = FOR_EVER


def surplus(connection: apsw.Connection, count: int | None) -> int | None:
    """The newest finished workflow beyond the `count` newest ones, by its key; None if there is none."""
    if count is None:
        return None
    row: Any = connection.execute(
        "SELECT key FROM workflow WHERE completed_us IS NOT NULL ORDER BY key DESC LIMIT 1 OFFSET ?", (count,)
    ).fetchone()
    return None if row is None else int(row[0])


def expired(connection: apsw.Connection, limit: Limit, after_key: int, most: int) -> list[int]:
    """The next workflows that may go, in the order of their keys; ends where nothing older can follow."""
    rows = connection.execute(
        "SELECT key FROM workflow WHERE key > ?1 AND key <= ?2 AND completed_us < ?3"
        " AND key < coalesce((SELECT key FROM workflow WHERE created_us BETWEEN ?3 AND ?6 ORDER BY key LIMIT 1), ?5)"
        f" AND {UNREFERENCED} ORDER BY key LIMIT ?4",
        (after_key, limit.up_to_key, limit.before_us, most, FOR_EVER, limit.now_us),
    )
    return [row[0] for row in rows]


def long_ones(connection: apsw.Connection, keys: Sequence[int], rows: int) -> list[int]:
    """Which of these have more rows than one transaction should delete."""
    found = connection.execute(
        "SELECT value FROM carray(?1) WHERE (SELECT count(*) FROM (SELECT 1 FROM step WHERE workflow = value LIMIT ?2))"
        " = ?2 OR (SELECT count(*) FROM (SELECT 1 FROM stream WHERE workflow = value LIMIT ?2)) = ?2"
        " OR (SELECT count(*) FROM (SELECT 1 FROM event WHERE workflow = value LIMIT ?2)) = ?2"
        " OR (SELECT count(*) FROM (SELECT 1 FROM message WHERE workflow = value LIMIT ?2)) = ?2",
        (integers(keys), rows),
    )
    return [row[0] for row in found]


def shorten(tx: Tx, key: int, rows: int) -> bool:
    """Delete a part of the history of a workflow that is about to go; whether there is more.

    It loses its id first: nobody may rewind or fork what has only a part of its records left. Nor is it a child or a
    parent from then on, since the records that say so go before it.
    """
    tx.connection.execute(
        f"UPDATE workflow SET id = 'litewf.pruned~' || key, parent = NULL WHERE key = ? AND {UNREFERENCED}", (key,)
    )
    if not tx.connection.changes():
        return False
    tx.connection.execute("UPDATE workflow SET parent = NULL WHERE parent = ?", (key,))
    left = rows
    for table in ("step", "stream", "event", "message"):
        tx.connection.execute(
            f"DELETE FROM {table} WHERE key IN (SELECT key FROM {table} WHERE workflow = ? LIMIT ?)", (key, left)
        )
        left -= tx.connection.changes()
        if left <= 0:
            return True
    return False


def give_back(tx: Tx, pages: int) -> bool:
    """Return free pages to the file system, in files that were made for it; whether there may be more."""
    free: Any = tx.connection.execute("PRAGMA freelist_count").fetchone()
    if not free[0] or tx.connection.execute("PRAGMA auto_vacuum").fetchone() != (2,):
        return False
    tx.connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    return int(free[0]) > pages
