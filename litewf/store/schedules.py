"""Schedules in the file: what is defined, which are due, and the one statement that moves a schedule on."""

from collections.abc import Collection
from typing import Any, NamedTuple

import apsw

from litewf.store.operations import Tx
from litewf.store.wide import texts


class ScheduleRow(NamedTuple):
    """A schedule, in the order of its columns; the first ten are its definition."""

    name: str
    workflow: str
    receiver: str | None
    cron: str
    timezone: str
    on_missed: str
    catch_up_us: int | None
    overlap: str
    jitter_us: int
    queue: str | None
    origin: str
    paused: int = 0
    next_us: int | None = None
    last_us: int | None = None


COLUMNS = ", ".join(ScheduleRow._fields)


class Firing(NamedTuple):
    """Which schedules an engine fires: of the workflows that it has, those that it defines and those of the file."""

    workflows: Collection[str]
    defined: Collection[str]
    unreadable: Collection[str] = ()  # it cannot tell when these are due


MINE = """
    workflow IN (SELECT value FROM carray(?)) AND name NOT IN (SELECT value FROM carray(?))
    AND (origin = 'file' OR name IN (SELECT value FROM carray(?)))
"""


def _bound(firing: Firing) -> tuple[object, object, object]:
    return texts(tuple(firing.workflows)), texts(tuple(firing.unreadable)), texts(tuple(firing.defined))


def find(connection: apsw.Connection, name: str) -> ScheduleRow | None:
    row = connection.execute(f"SELECT {COLUMNS} FROM schedule WHERE name = ?", (name,)).fetchone()
    return None if row is None else ScheduleRow(*row)


def all_schedules(connection: apsw.Connection) -> list[ScheduleRow]:
    return [ScheduleRow(*row) for row in connection.execute(f"SELECT {COLUMNS} FROM schedule ORDER BY name")]


def put(tx: Tx, row: ScheduleRow, now_us: int) -> None:
    """Write a schedule as it is to be from now on."""
    tx.connection.execute(
        f"INSERT OR REPLACE INTO schedule ({COLUMNS}, updated_us) VALUES ({', '.join('?' * len(row))}, ?)",
        (*row, now_us),
    )
    if row.next_us is not None and not row.paused:
        tx.touch(f"due:{row.next_us}")


def remove(tx: Tx, name: str) -> None:
    tx.connection.execute("DELETE FROM schedule WHERE name = ?", (name,))


def next_us(connection: apsw.Connection, firing: Firing | None) -> int | None:
    """When the next tick is due, of the schedules of one engine or of all; one look at the head of an index."""
    first = "SELECT next_us FROM schedule WHERE paused = 0 AND next_us IS NOT NULL {} ORDER BY next_us LIMIT 1"
    if firing is None:
        row = connection.execute(first.format("")).fetchone()
    else:
        row = connection.execute(first.format(f"AND {MINE}"), _bound(firing)).fetchone()
    return None if row is None else row[0]


def due(connection: apsw.Connection, firing: Firing, now_us: int, limit: int) -> list[ScheduleRow]:
    """The schedules of an engine with ticks that are due, the oldest first."""
    rows: list[Any] = connection.execute(
        f"SELECT {COLUMNS} FROM schedule WHERE paused = 0 AND next_us IS NOT NULL AND next_us <= ? AND {MINE}"
        " ORDER BY next_us LIMIT ?",
        (now_us, *_bound(firing), limit),
    ).fetchall()
    return [ScheduleRow(*row) for row in rows]


def move(tx: Tx, name: str, next_us: int | None, last_us: int | None, now_us: int) -> None:
    """Go on to the next tick; `last_us` is the last one that was started, None if none was."""
    tx.connection.execute(
        "UPDATE schedule SET next_us = ?, last_us = coalesce(?, last_us), updated_us = ? WHERE name = ?",
        (next_us, last_us, now_us, name),
    )
