"""What may be wrong with a file, or stuck in it, as questions: for `litewf doctor`. Nothing here writes.

Each question follows a partial index of unfinished work, except those that say that they walk a table.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from litewf.store.invariants import ALWAYS, TALKING

EXAMPLES = 5  # shown of what a question finds
OLD_PYTHON_SQLITE = (3, 51, 3)


class Stuck(NamedTuple):
    """Workflows that have one trouble in common."""

    name: str
    detail: str | None
    total: int
    ids: list[str]


def python_sqlite() -> str | None:
    """The version of Python's own SQLite, if it is one that may damage a WAL file."""
    return sqlite3.sqlite_version if sqlite3.sqlite_version_info < OLD_PYTHON_SQLITE else None


def sizes(path: Path) -> dict[str, int]:
    """The bytes of the file and of its -wal."""
    wal = path.with_name(f"{path.name}-wal")
    return {"file": path.stat().st_size, "wal": wal.stat().st_size if wal.exists() else 0}


def damage(connection: apsw.Connection) -> list[str]:
    """What SQLite finds wrong with the pages, the indexes and the references; walks everything."""
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    lines = [] if found == ["ok"] else found
    references: list[Any] = list(connection.execute("PRAGMA foreign_key_check"))
    return lines + [f"a row of {row[0]} refers to nothing in {row[2]}" for row in references[:EXAMPLES]]


def invariants(version: int) -> dict[str, str]:
    """What must hold in a file of this version, each as a query that must find nothing; they walk tables."""
    return ALWAYS | TALKING if version >= 3 else {}  # the third migration brought the last of their tables


def violations(connection: apsw.Connection, query: str) -> list[str]:
    """The first rows that break an invariant, as text."""
    rows: Any = connection.execute(f"SELECT * FROM ({query}) LIMIT {EXAMPLES}")
    return [", ".join(map(str, row)) for row in rows]


# --- what is stuck ------------------------------------------------------------------------------------------------


def _grouped(connection: apsw.Connection, sql: str, values: tuple[object, ...] = ()) -> list[Stuck]:
    """Groups of (name, detail, id), with how many there are and the first of each."""
    rows = connection.execute(
        f"SELECT name, detail, count(*), json_group_array(id) FILTER (WHERE n <= {EXAMPLES}) FROM (SELECT name, detail,"
        f" id, row_number() OVER (PARTITION BY name, detail ORDER BY key) AS n FROM ({sql})) GROUP BY 1, 2 ORDER BY 1",
        values,
    )
    return [Stuck(name, detail, count, json.loads(ids)) for name, detail, count, ids in rows]


def ready(connection: apsw.Connection) -> list[Stuck]:
    """What an engine might take up now, by name and version; on no queue."""
    return _grouped(
        connection, "SELECT name, application_version AS detail, id, key FROM workflow WHERE phase = 'ready'"
    )


def waiting(connection: apsw.Connection) -> list[Stuck]:
    """What waits for its turn, by name and queue."""
    return _grouped(
        connection,
        "SELECT task.name, task.queue AS detail, id, key FROM task JOIN workflow ON key = workflow"
        " WHERE state = 'waiting'",
    )


def held(connection: apsw.Connection) -> list[Stuck]:
    """What no engine that tried could go on with, by name and reason."""
    return _grouped(connection, "SELECT name, held AS detail, id, key FROM workflow WHERE phase = 'held'")


def overdue(connection: apsw.Connection, before_us: int) -> list[Stuck]:
    """What should have gone on, started or been cancelled before a time."""
    return _grouped(
        connection,
        "SELECT name, 'should have gone on' AS detail, id, key FROM workflow"
        " WHERE phase = 'parked' AND due_us IS NOT NULL AND due_us < ?1 UNION ALL"
        " SELECT workflow.name, 'should have come to its queue', id, key FROM task JOIN workflow ON key = workflow"
        " WHERE state = 'delayed' AND task.due_us < ?1 UNION ALL"
        " SELECT name, 'should have been cancelled at its deadline', id, key FROM workflow"
        " WHERE completed_us IS NULL AND deadline_us IS NOT NULL AND deadline_us < ?1",
        (before_us,),
    )


def given_up(connection: apsw.Connection) -> list[Stuck]:
    """What killed its process too often; walks the table of workflows."""
    return _grouped(
        connection,
        "SELECT name, NULL AS detail, id, key FROM workflow WHERE status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'",
    )


def late_schedules(connection: apsw.Connection, before_us: int) -> list[tuple[str, str]]:
    """Schedules whose next tick should have come before a time, with their workflows."""
    rows = connection.execute(
        "SELECT name, workflow FROM schedule WHERE paused = 0 AND next_us IS NOT NULL AND next_us < ? ORDER BY name",
        (before_us,),
    )
    return [(row[0], row[1]) for row in rows]


def paused(connection: apsw.Connection) -> tuple[list[str], list[str]]:
    """The queues and the schedules that are paused."""
    queues = [str(row[0]) for row in connection.execute("SELECT name FROM queue WHERE paused = 1 ORDER BY name")]
    schedules = [str(row[0]) for row in connection.execute("SELECT name FROM schedule WHERE paused = 1 ORDER BY name")]
    return queues, schedules
