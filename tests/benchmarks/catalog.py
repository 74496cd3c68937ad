"""The workloads as data: who runs what at which size, which figures are shown, and what they must show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

RAW: Final = "raw"
LITEWF: Final = "litewf"
EMPTY: Final = "litewf (empty)"
DBOS: Final = "dbos"
DBOS_WAL: Final = "dbos (WAL)"
COLUMNS: Final = (RAW, LITEWF, DBOS, DBOS_WAL)


@dataclass(frozen=True, slots=True)
class Call:
    """One function of a contestant's module, and the sizes that it is called with."""

    module: str
    function: str
    sizes: dict[str, int] = field(default_factory=dict)
    fixture: str | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on litewf's figure: on its own, or as a ratio to another contestant's figure of the same round."""

    bound: float
    of: str | None = None
    at_most: bool = False

    def is_met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: which figure of the measurement it shows, in which unit, against which goals."""

    label: str
    figure: str
    unit: str
    goals: tuple[Goal, ...] = ()


@dataclass(frozen=True, slots=True)
class Workload:
    """One comparison: the contestants take turns, and each turn yields the figures of every row."""

    name: str
    calls: dict[str, Call]
    rows: tuple[Row, ...]
    note: str
    most_rounds: int | None = None


def _steps(name: str, goals: tuple[Goal, ...]) -> Workload:
    return Workload(
        name=name,
        calls={
            RAW: Call("raw", "batched_rows", {"workflows": 5_000, "steps": 5}),
            LITEWF: Call("ours", name, {"workflows": 5_000, "steps": 5}),
            **_both_journals(name, {"workflows": 100, "steps": 5}),
        },
        rows=(Row(name, "rate", "steps/s", goals),),
        note="5,000 workflows of 5 no-op steps started at once (dbos: 100); raw: rows in 1,000-row transactions",
    )


def _sequence(kind: str) -> Workload:
    return Workload(
        name=f"sequence_{kind}",
        calls={
            RAW: Call("raw", "single_rows", {"rows": 2_000}),
            LITEWF: Call("ours", f"sequence_{kind}", {"steps": 2_000}),
            **_both_journals(f"sequence_{kind}", {"steps": 2_000}),
        },
        rows=(Row(f"sequence_{kind}", "rate", "steps/s", (Goal(0.5, of=RAW),)),),
        note="one workflow, 2,000 no-op steps one after the other; raw: one-row commits",
    )


def _both_journals(function: str, sizes: dict[str, int]) -> dict[str, Call]:
    return {
        DBOS: Call("transact", function, {**sizes, "wal": 0}),
        DBOS_WAL: Call("transact", function, {**sizes, "wal": 1}),
    }


WORKLOADS: Final = (
    _steps("async_steps", (Goal(0.15, of=RAW), Goal(100, of=DBOS))),
    _steps("sync_steps", (Goal(0.04, of=RAW), Goal(25, of=DBOS))),
    _sequence("async"),
    _sequence("sync"),
    Workload(
        name="recovery",
        calls={
            LITEWF: Call("ours", "recovery", {"workflows": 1_000, "steps": 10}),
            **_both_journals("recovery", {"workflows": 1_000, "steps": 10}),
        },
        rows=(Row("recovery", "seconds", "s", (Goal(1.0, at_most=True),)),),
        note="1,000 workflows with 10 finished steps and one to do, killed; from launch until all are done",
    ),
    Workload(
        name="asleep",
        calls={
            LITEWF: Call("ours", "asleep", {"workflows": 100_000}),
            DBOS: Call("transact", "asleep", {"workflows": 1_000, "wal": 0}),
        },
        rows=(
            Row("asleep: memory", "bytes_each", "bytes each", (Goal(100, at_most=True),)),
            Row("asleep: threads", "threads", "threads", (Goal(250, at_most=True),)),
            Row("asleep: CPU", "cpu_percent", "%", (Goal(1.0, at_most=True),)),
        ),
        note="100,000 async workflows asleep for an hour (dbos: 1,000), at rest; the process's threads in all",
    ),
    Workload(
        name="history",
        calls={
            EMPTY: Call("ours", "async_steps", {"workflows": 5_000, "steps": 5}),
            LITEWF: Call("ours", "async_steps", {"workflows": 5_000, "steps": 5}, fixture="finished"),
        },
        rows=(Row("history", "rate", "steps/s", (Goal(0.85, of=EMPTY),)),),
        note="async_steps on a file with 1,000,000 finished workflows, as a share of the same on an empty file",
    ),
    Workload(
        name="import",
        calls={
            RAW: Call("importing", "apsw", {"runs": 15}),
            LITEWF: Call("importing", "litewf", {"runs": 15}),
            DBOS: Call("importing", "dbos", {"runs": 15}),
        },
        rows=(
            Row("import: time", "milliseconds", "ms", (Goal(60, at_most=True),)),
            Row("import: foreign packages", "foreign", "packages", (Goal(0, at_most=True),)),
        ),
        note="beyond the bare interpreter; foreign: web, test and telemetry packages loaded; raw: apsw alone",
        most_rounds=1,
    ),
)
