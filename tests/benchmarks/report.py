"""Medians over rounds as a table or as JSON; ratios are taken within each round, then their median."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sqlite3
import statistics
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.benchmarks.catalog import COLUMNS, DBOS, DBOS_WAL, EMPTY, LITEWF, RAW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.catalog import Goal, Row
    from tests.benchmarks.rounds import Measured

TITLES: Final = ("workload", "unit", *COLUMNS, "goal for litewf", "reached")
MISSING: Final = "–"
FAILED: Final = "failed"
PIPE_WIDTH: Final = 160
PACKAGES: Final = ("litewf", "apsw", "dbos")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal beside what was reached; `value` is None where one of the two contestants has no figures."""

    goal: Goal
    value: float | None

    @property
    def is_missed(self) -> bool:
        return self.value is not None and not self.goal.is_met(self.value)


def show(results: Sequence[Measured], rounds: int) -> None:
    """Print the table, with `rich` where it is installed, then notes and failures."""
    _print_table([_cells(measured, row) for measured in results for row in measured.workload.rows])
    print(
        f"\nMedians of {rounds} rounds (below: lowest to highest), ratios within a round, all at full durability."
    )
    print(f"{machine()}\n")
    for measured in results:
        print(f"  {measured.workload.name}: {measured.workload.note}.")
    for measured in results:
        for contestant, why in measured.failures.items():
            print(f"\n{measured.workload.name}, {contestant}, failed:\n{why}")


def as_json(results: Sequence[Measured], rounds: int) -> str:
    """Every round's figures, the medians of the shown ones, and each goal."""
    return json.dumps(
        {
            "machine": machine(),
            "rounds": rounds,
            "workloads": {measured.workload.name: _as_record(measured) for measured in results},
        },
        indent=2,
    )


def is_good(results: Sequence[Measured]) -> bool:
    """Nothing failed and no goal was missed."""
    return not any(
        measured.failures or any(verdict.is_missed for verdict in judge(measured, row))
        for measured in results
        for row in measured.workload.rows
    )


def judge(measured: Measured, row: Row) -> list[Verdict]:
    return [Verdict(goal, _reached(measured, row, goal.of)) for goal in row.goals]


def machine() -> str:
    """What the figures depend on."""
    versions = [f"{package} {_version(package)}" for package in PACKAGES]
    return ", ".join(
        [
            f"{os.cpu_count()} cores",
            platform.platform(terse=True),
            f"{platform.python_implementation()} {platform.python_version()}",
            *versions,
            f"SQLite {_apsw_sqlite()} (apsw), {sqlite3.sqlite_version} (Python's own, used by dbos)",
        ]
    )


def _cells(measured: Measured, row: Row) -> tuple[str, ...]:
    verdicts = judge(measured, row)
    return (
        row.label,
        row.unit,
        *(_figure(measured, row, contestant) for contestant in COLUMNS),
        "\n".join(_goal(verdict.goal) for verdict in verdicts),
        "\n".join(_outcome(measured, row, verdict) for verdict in verdicts),
    )


def _figure(measured: Measured, row: Row, contestant: str) -> str:
    if contestant in measured.failures:
        return FAILED
    values = _values(measured, row, contestant)
    if not values:
        return MISSING
    spread = f"\n{_number(min(values))}–{_number(max(values))}" if len(values) > 1 else ""
    return f"{_number(statistics.median(values))}{spread}"


def _goal(goal: Goal) -> str:
    sign = "≤" if goal.at_most else "≥"
    return f"{sign} {_ratio(goal.bound, goal.of) if goal.of else _number(goal.bound)}"


def _outcome(measured: Measured, row: Row, verdict: Verdict) -> str:
    if verdict.value is None:
        return MISSING
    of = verdict.goal.of
    text = _ratio(verdict.value, of) if of else _number(verdict.value)
    beside = _reached(measured, row, DBOS_WAL) if of == DBOS else None
    also = f" ({_ratio(beside, DBOS_WAL)})" if beside is not None else ""
    return f"{'missed' if verdict.is_missed else 'yes'}: {text}{also}"


def _ratio(value: float, of: str | None) -> str:
    return f"{value:.3g}× {of}" if of in (DBOS, DBOS_WAL) else f"{100 * value:.3g} % of {of}"


def _reached(measured: Measured, row: Row, of: str | None) -> float | None:
    """Our figure, or the median of its ratios to another contestant's of the same round."""
    ours = _values(measured, row, LITEWF)
    if of is None:
        return statistics.median(ours) if ours else None
    ratios = [own / other for own, other in zip(ours, _values(measured, row, of), strict=False) if other]
    return statistics.median(ratios) if ratios else None


def _values(measured: Measured, row: Row, contestant: str) -> list[float]:
    return [figures[row.figure] for figures in measured.rounds.get(contestant, [])]


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _as_record(measured: Measured) -> dict[str, object]:
    return {
        "note": measured.workload.note,
        "rounds": dict(measured.rounds),
        "failures": measured.failures,
        "rows": {row.label: _row_record(measured, row) for row in measured.workload.rows},
    }


def _row_record(measured: Measured, row: Row) -> dict[str, object]:
    contestants = [name for name in (RAW, EMPTY, LITEWF, DBOS, DBOS_WAL) if _values(measured, row, name)]
    return {
        "unit": row.unit,
        "medians": {name: statistics.median(_values(measured, row, name)) for name in contestants},
        "goals": [
            {"goal": _goal(verdict.goal), "reached": verdict.value, "missed": verdict.is_missed}
            for verdict in judge(measured, row)
        ],
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _apsw_sqlite() -> str:
    try:
        import apsw
    except ImportError:
        return MISSING
    return apsw.sqlite_lib_version()


def _print_table(lines: list[tuple[str, ...]]) -> None:
    try:
        _rich_table(lines)
    except ImportError:
        _plain_table(lines)


def _rich_table(lines: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_lines=True)
    for title in TITLES:
        table.add_column(title, justify="right" if title in COLUMNS else "left", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    Console(width=None if sys.stdout.isatty() else PIPE_WIDTH).print(table)


def _plain_table(lines: list[tuple[str, ...]]) -> None:
    for line in lines:
        print(
            "\n".join(
                f"{title:>16}: {cell.replace(chr(10), '; ')}"
                for title, cell in zip(TITLES, line, strict=True)
            )
        )
        print()
