"""The yardstick: the rows that the workloads record, written by apsw alone on a file with litewf's settings."""

from __future__ import annotations

import itertools
import statistics
import time
from typing import TYPE_CHECKING, Final, TypeAlias

import apsw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

StepRow: TypeAlias = tuple[int, str, str, str, int, int, int]

GROUP: Final = 1_000  # rows in a transaction: the most that litewf puts into one
REPEATS: Final = 5  # a run takes some hundredths of a second, too little to be read once
CHECKPOINT_FRAMES: Final = 4_000  # litewf checkpoints passively from here

TABLE: Final = """
CREATE TABLE step (
    workflow INTEGER NOT NULL, step TEXT NOT NULL, name TEXT NOT NULL, result TEXT,
    attempts INTEGER NOT NULL, started_at INTEGER NOT NULL, completed_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX step_by_workflow ON step (workflow, step);
"""
INSERT: Final = "INSERT INTO step VALUES (?, ?, ?, ?, ?, ?, ?)"


def batched_rows(path: Path, workflows: int = 5_000, steps: int = 5) -> dict[str, float]:
    """Rows a second in 1,000-row transactions, in the order in which concurrent workflows record their steps."""
    return _median_rate(path, list(_waves(workflows, steps)), _insert_in_groups)


def single_rows(path: Path, rows: int = 2_000) -> dict[str, float]:
    """Rows a second when each is a commit of its own."""
    return _median_rate(path, list(_waves(1, rows)), _insert_one_by_one)


def _waves(workflows: int, steps: int) -> Iterator[StepRow]:
    """The first step of every workflow, then the second of every workflow, and so on."""
    now = time.time_ns() // 1_000
    for step in range(1, steps + 1):
        for workflow in range(1, workflows + 1):
            yield workflow, str(step), "tests.benchmarks.nothing", "null", 1, now, now


def _median_rate(
    path: Path, rows: list[StepRow], insert: Callable[[apsw.Connection, list[StepRow]], None]
) -> dict[str, float]:
    seconds = [_timed(path.with_name(f"{path.name}-{repeat}"), rows, insert) for repeat in range(REPEATS)]
    taken = statistics.median(seconds)
    return {"rate": len(rows) / taken, "seconds": taken, "rows": len(rows)}


def _timed(
    path: Path, rows: list[StepRow], insert: Callable[[apsw.Connection, list[StepRow]], None]
) -> float:
    connection = _open(path)
    began = time.perf_counter()
    insert(connection, rows)
    taken = time.perf_counter() - began
    connection.close()
    return taken


def _open(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    for pragma, value in (
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("wal_autocheckpoint", CHECKPOINT_FRAMES),
    ):
        connection.pragma(pragma, value)
        if connection.pragma(pragma) != value:
            raise RuntimeError(f"{path}: SQLite did not take {pragma}={value}")
    connection.execute(TABLE)
    return connection


def _insert_in_groups(connection: apsw.Connection, rows: list[StepRow]) -> None:
    cursor = connection.cursor()
    remaining = iter(rows)
    while group := list(itertools.islice(remaining, GROUP)):
        cursor.execute("BEGIN IMMEDIATE")
        cursor.executemany(INSERT, group)
        cursor.execute("COMMIT")


def _insert_one_by_one(connection: apsw.Connection, rows: list[StepRow]) -> None:
    cursor = connection.cursor()
    for row in rows:
        cursor.execute(INSERT, row)
