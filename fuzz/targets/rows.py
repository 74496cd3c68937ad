"""Rows edited by hand: the workflow that they belong to is held, fails or stays where it is; all others come to their end.

Foreign keys are off, as they are in every tool that does not ask for them. Some edits are bound to touch more than one workflow (a row
of the queue, of an executor): after those the program must only stand, and errors be those of litewf.
"""

from __future__ import annotations

import random
from contextlib import closing, suppress
from itertools import product
from pathlib import Path
from typing import Any

import apsw

from fuzz.case import Case
from fuzz.program import IDS, Revival, expected, left_behind, put

FAR = (0, -1, 1, 2**31, 2**53, 2**62, 2**63 - 1, -(2**63))
TEXTS = ("", " ", "null", "{}", "[]", "[1]", '"x"', "{", "nonsense", "\0", "é\u202e", "-1", "0", "1", "4.1", "999999999999999999999", "1.1.1.1",
         "NaN", '{"$error":{}}', '{"$error":{"type":"os:system","args":["true"]}}', '{"$tuple":1}', '{"$unknown":1}', '{"$set":[[1]]}',
         "[" * 5_000, "x" * 20_000, "PENDING", "SUCCESS", "ready", "running", "parked", "held", "stopping", "BANANA", "DELAYED", "waiting",
         "litewf.recv", "litewf.sleep", "workflow:chain-0", "chain-0")  # fmt: skip
OF_A_WORKFLOW = {
    "workflow": "key", "request": "workflow", "outcome": "workflow", "step": "workflow", "wait": "workflow", "message": "workflow",
    "event": "workflow", "stream": "workflow", "task": "workflow",
}  # fmt: skip
OF_ALL = ("store", "executor", "queue", "schedule", "cloud_event", "started", "taking")
IDENTITY = {
    ("workflow", "key"),
    ("workflow", "id"),
    ("stream", "key"),
    ("message", "key"),
    ("event", "key"),
}  # those of others clash
# From the ends of its integers SQLite itself cannot count on: nothing more is written there, be it a fence or a new key.
COUNTED = {("workflow", "fence"), ("workflow", "generation"), ("workflow", "recoveries"), ("workflow", "progress")}
UNCOUNTABLE = {*product(COUNTED, FAR[-2:]), *((place, FAR[-2]) for place in IDENTITY if place[1] == "key")}
WITH_VALUES = {
    "request",
    "outcome",
    "step",
    "message",
    "event",
    "stream",
}  # where a text that is no UTF-8 concerns one alone
NOWHERE = 10**6  # no workflow has this key


def run(case: Case) -> None:
    """Edit some rows of one workflow, or one row of all, then let everything go on."""
    chance, path = case.chance, case.folder / "flows.db"
    put({"": left_behind().closed[""]}, path)
    victim = chance.choice(IDS)
    for_all = chance.random() < 0.15
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA foreign_keys = 0")
        edits = []
        wanted = chance.choice([1, 1, 2, 4])
        for _ in range(10 * wanted):
            edit = _edit_of_all(chance, connection) if for_all else _edit(chance, connection, victim)
            edits += [edit] if edit else []
            if len(edits) == wanted:
                break
    _check(case, path, victim, edits, for_all=for_all)


def _check(case: Case, path: Path, victim: str, edits: list[str], *, for_all: bool) -> None:
    victims = IDS if for_all else _concerned(victim)
    revival = Revival(path, victims)
    told = f"{victim}: {edits}"
    if revival.refused is not None:
        assert for_all, f"the whole file is refused after {told}: {revival.refused!r}"
        case.met(*_kinds(edits), "the file is refused")
        return
    wrong = [
        f"{one}: {revival.results[one]!r}"
        for one in IDS
        if one not in victims and revival.results[one] != expected(one)
    ]
    assert not wrong, f"others did not come to their end after {told}: {wrong}"
    result = revival.results[victim]
    ended = (
        "comes to its result"
        if result == expected(victim)
        else type(result).__name__
        if isinstance(result, Exception)
        else "another result"
    )
    case.met(*_kinds(edits), *([] if for_all else [f"the workflow: {ended}"]))


def _concerned(victim: str) -> list[str]:
    """A parent and its child share a fate."""
    kind, _, n = victim.rpartition("-")
    return [victim, f"parent-{n}", f"child-{n}"] if kind in ("parent", "child") else [victim]


def _kinds(edits: list[str]) -> list[str]:
    return [edit.partition(" = ")[0] for edit in edits]


# --- edits --------------------------------------------------------------------------------------------------------


def _edit(chance: random.Random, connection: apsw.Connection, victim: str) -> str | None:
    """One edit of a row that belongs to a workflow; None when it has none there, or SQLite does not take it."""
    key = connection.execute("SELECT key FROM workflow WHERE id = ?", (victim,)).get
    table = chance.choice(list(OF_A_WORKFLOW))
    rows = connection.execute(
        f"SELECT rowid FROM {table} WHERE {OF_A_WORKFLOW[table]} = ? ORDER BY 1", (key,)
    ).fetchall()
    if not rows:
        return None
    return _change(chance, connection, table, "rowid = ?", chance.choice(rows)[0], key)


def _edit_of_all(chance: random.Random, connection: apsw.Connection) -> str | None:
    return _change(chance, connection, chance.choice(OF_ALL), "1 OR ?", 0, NOWHERE)


def _change(
    chance: random.Random, connection: apsw.Connection, table: str, where: str, row: int, key: object
) -> str | None:
    columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
    column = chance.choice(columns)
    if (table, column) in IDENTITY and chance.random() < 0.5:
        column = columns[-1]
    with suppress(apsw.ConstraintError, apsw.MismatchError):
        if chance.random() < 0.1:
            connection.execute(f"DELETE FROM {table} WHERE {where}", (row,))
            return f"{table}: deleted"
        value = _value(chance, column, key)
        if isinstance(value, bytes) and table not in WITH_VALUES:
            return None
        if ((table, column), value) in UNCOUNTABLE:
            return None
        written = "CAST(? AS TEXT)" if isinstance(value, bytes) else "?"  # a text that is no UTF-8
        connection.execute(f"UPDATE {table} SET {column} = {written} WHERE {where}", (value, row))
        if connection.changes() == 0:
            return None
        return f"{table}.{column} = {value!r:.60}"
    return None


def _value(chance: random.Random, column: str, key: object) -> Any:
    if column in ("parent", "workflow", "cancelled_by", "winner", "owner"):  # nowhere, or a cycle
        return chance.choice([NOWHERE, key, None, -1, 0])
    return chance.choice(
        [None, chance.choice(FAR), chance.choice(TEXTS), chance.choice(TEXTS), chance.choice(FAR), b"\xff\0"]
    )
