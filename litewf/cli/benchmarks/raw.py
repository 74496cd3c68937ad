"""The yardstick: the very rows that litewf records for steps, written by apsw alone into a file that litewf made."""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw

import litewf

StepRow = tuple[int, str, str, str | None, str | None, int, int, int]

GROUP = 1_000  # rows in a transaction: the most that litewf puts into one
REPEATS = 5  # a run takes some hundredths of a second, too little to be read once
CHECKPOINT_FRAMES = 4_000  # litewf checkpoints passively from here
PRAGMAS: tuple[tuple[str, int], ...] = (
    ("synchronous", 2),
    ("wal_autocheckpoint", CHECKPOINT_FRAMES),
    ("foreign_keys", 1),
    ("temp_store", 2),
    ("trusted_schema", 0),
    ("cache_size", -8_000),
    *((("fullfsync", 1), ("checkpoint_fullfsync", 1)) if sys.platform == "darwin" else ()),
)

WORKFLOWS = """
    WITH RECURSIVE n (key) AS (SELECT 1 UNION ALL SELECT key + 1 FROM n WHERE key < ?1)
    INSERT INTO workflow (key, id, name, status, phase, fence, created_us, updated_us, started_us)
    SELECT key, printf('01980000-0000-7000-8000-%012x', key), 'steps_in_turn', 'PENDING', 'running', 1, ?2, ?2, ?2
    FROM n
"""
STEP = """
    INSERT INTO step (workflow, step, name, output, error, attempts, started_us, completed_us)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


def batched_rows(path: Path, workflows: int = 5_000, steps: int = 5) -> dict[str, float]:
    """Rows a second in 1,000-row transactions, in the order in which concurrent workflows record their steps."""
    return _median_rate(path, workflows, steps, _insert_in_groups)


def single_rows(path: Path, rows: int = 2_000) -> dict[str, float]:
    """Rows a second when each is a commit of its own."""
    return _median_rate(path, 1, rows, _insert_one_by_one)


def _median_rate(
    path: Path, workflows: int, steps: int, insert: Callable[[apsw.Connection, list[StepRow]], None]
) -> dict[str, float]:
    rows = list(_waves(workflows, steps))
    seconds = []
    for repeat in range(REPEATS):
        connection = _open(path.with_name(f"{path.name}-{repeat}"), workflows)
        began = time.perf_counter()
        insert(connection, rows)
        seconds.append(time.perf_counter() - began)
        if connection.execute("SELECT count(*) FROM step").get != len(rows):
            raise RuntimeError("the file does not have the rows that were written")
        connection.close()
    taken = statistics.median(seconds)
    return {"rate": len(rows) / taken, "seconds": taken, "rows": len(rows)}


def _waves(workflows: int, steps: int) -> Iterator[StepRow]:
    """The first step of every workflow, then the second of every workflow, and so on."""
    now_us = time.time_ns() // 1_000
    for step in range(1, steps + 1):
        for workflow in range(1, workflows + 1):
            yield workflow, str(step), "nothing_async", "null", None, 1, now_us, now_us


def _open(path: Path, workflows: int) -> apsw.Connection:
    """A file with litewf's tables and settings, and the workflows whose steps are to come."""
    with litewf.Engine(path, registry=litewf.Registry()):
        pass
    connection = apsw.Connection(str(path))
    if connection.pragma("journal_mode") != "wal":
        raise RuntimeError(f"{path}: litewf left it in another journal mode")
    for pragma, value in PRAGMAS:
        connection.pragma(pragma, value)
        if connection.pragma(pragma) != value:
            raise RuntimeError(f"{path}: SQLite did not take {pragma}={value}")
    connection.execute(WORKFLOWS, (workflows, time.time_ns() // 1_000))
    return connection


def _insert_in_groups(connection: apsw.Connection, rows: list[StepRow]) -> None:
    cursor = connection.cursor()
    remaining = iter(rows)
    while group := list(itertools.islice(remaining, GROUP)):
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany(STEP, group)
        cursor.execute("COMMIT")


def _insert_one_by_one(connection: apsw.Connection, rows: list[StepRow]) -> None:
    cursor = connection.cursor()
    for row in rows:
        cursor.execute(STEP, row)
