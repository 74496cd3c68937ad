"""Medians over rounds as a table or as JSON; ratios are taken within each round, then their median."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

import apsw
from rich.console import Console
from rich.table import Table

from litewf.cli.benchmarks.catalog import LITEWF, RAW, Row
from litewf.cli.benchmarks.rounds import Measured

TITLES = ("workload", "unit", RAW, LITEWF, "litewf / raw")
MISSING = "-"
FAILED = "failed"
PIPE_WIDTH = 160


def screen() -> Console:
    """The standard output; a pipe is wide enough for the table."""
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


def show(console: Console, results: Sequence[Measured], rounds: int) -> None:
    """The table, then notes and failures."""
    lines = [_cells(measured, row) for measured in results for row in measured.workload.rows]
    show_table(console, TITLES, lines)
    say(console, _footing(results, rounds))


def show_table(console: Console, titles: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Text to the left, figures to the right."""
    table = Table(show_lines=True)
    for at, title in enumerate(titles):
        table.add_column(title, justify="left" if at < 2 else "right", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    console.print(table)


def say(console: Console, lines: Iterator[str]) -> None:
    for line in lines:
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def as_json(results: Sequence[Measured], rounds: int) -> str:
    """Every round's figures, the medians of the shown ones, and their ratios to raw."""
    workloads = {measured.workload.name: record(measured) for measured in results}
    return json.dumps({"machine": machine(), "rounds": rounds, "workloads": workloads}, indent=2)


def record(measured: Measured) -> dict[str, object]:
    """All about one workload."""
    return {
        "note": measured.workload.described,
        "sizes": {name: call.sizes for name, call in measured.workload.calls.items()},
        "rounds": dict(measured.rounds),
        "failures": measured.failures,
        "rows": {
            row.label: {
                "unit": row.unit,
                "medians": medians(measured, row),
                "ratio_to_raw": ratio(measured, row, RAW),
            }
            for row in measured.workload.rows
        },
    }


def medians(measured: Measured, row: Row) -> dict[str, float]:
    """The median figure of each contestant that has any."""
    found = {name: measured.values(name, row.figure) for name in measured.workload.calls}
    return {name: statistics.median(values) for name, values in found.items() if values}


def ratio(measured: Measured, row: Row, other: str) -> float | None:
    """The median of litewf's ratios to another contestant's figure of the same round."""
    pairs = zip(measured.values(LITEWF, row.figure), measured.values(other, row.figure), strict=False)
    ratios = [own / theirs for own, theirs in pairs if theirs]
    return statistics.median(ratios) if ratios else None


def figure(measured: Measured, row: Row, contestant: str) -> str:
    """The median, and below it the lowest and the highest."""
    if contestant in measured.failures:
        return FAILED
    values = measured.values(contestant, row.figure)
    if not values:
        return MISSING
    spread = f"\n{number(min(values))} to {number(max(values))}" if len(values) > 1 else ""
    return f"{number(statistics.median(values))}{spread}"


def number(value: float) -> str:
    """Three digits or so."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def share(value: float | None) -> str:
    """A ratio as people say it."""
    if value is None:
        return MISSING
    return f"{100 * value:.3g} %" if value < 2 else f"{value:.3g} x"


def medians_of(rounds: int) -> str:
    """How the figures came about."""
    return "One round" if rounds == 1 else f"Medians of {rounds} rounds (below: lowest to highest)"


def machine(*packages: str) -> str:
    """What the figures depend on."""
    parts = [
        f"{os.cpu_count()} cores",
        platform.platform(terse=True),
        f"{platform.python_implementation()} {platform.python_version()}",
        *(f"{package} {_version(package)}" for package in ("litewf", "apsw", *packages)),
        f"SQLite {apsw.sqlite_lib_version()}",
    ]
    return ", ".join(parts)


def notes(results: Sequence[Measured]) -> Iterator[str]:
    """What was measured and what failed."""
    for measured in results:
        yield f"  {measured.workload.name}: {measured.workload.described}."
    for measured in results:
        for contestant, why in measured.failures.items():
            yield f"\n{measured.workload.name}, {contestant}, failed:\n{why}"


def _footing(results: Sequence[Measured], rounds: int) -> Iterator[str]:
    yield f"\n{medians_of(rounds)}, all at full durability: WAL, synchronous=FULL."
    yield "Raw: the very step rows that litewf writes, on a file with its tables and settings."
    yield f"{machine()}\n"
    yield from notes(results)


def _cells(measured: Measured, row: Row) -> tuple[str, ...]:
    compared = ratio(measured, row, RAW)
    return (row.label, row.unit, figure(measured, row, RAW), figure(measured, row, LITEWF), share(compared))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
