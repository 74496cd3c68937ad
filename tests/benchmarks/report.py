"""The table of `litewf bench` with the peer, each goal and what was reached; the judgement of them all."""

import json
import sqlite3
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console

from litewf.cli.benchmarks import report
from litewf.cli.benchmarks.catalog import LITEWF, Row
from litewf.cli.benchmarks.report import MISSING, number
from litewf.cli.benchmarks.rounds import Measured
from tests.benchmarks.catalog import COLUMNS, DBOS, DBOS_WAL, GOALS, Goal

TITLES = ("workload", "unit", *COLUMNS, "goal for litewf", "reached")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal beside what was reached; `value` is None where one of the two contestants has no figures."""

    goal: Goal
    value: float | None

    @property
    def is_missed(self) -> bool:
        return self.value is not None and not self.goal.is_met(self.value)


def show(console: Console, results: Sequence[Measured], rounds: int) -> None:
    """The table, then notes and failures."""
    lines = [_cells(measured, row) for measured in results for row in measured.workload.rows]
    report.show_table(console, TITLES, lines)
    report.say(console, _footing(results, rounds))


def as_json(results: Sequence[Measured], rounds: int) -> str:
    """What `litewf bench --json` has, and each goal."""
    workloads = {measured.workload.name: {**report.record(measured), "goals": _goals(measured)} for measured in results}
    return json.dumps({"machine": machine(), "rounds": rounds, "workloads": workloads}, indent=2)


def is_good(results: Sequence[Measured]) -> bool:
    """Nothing failed and no goal was missed."""
    return not any(
        measured.failures or any(verdict.is_missed for verdict in judge(measured, row))
        for measured in results
        for row in measured.workload.rows
    )


def judge(measured: Measured, row: Row) -> list[Verdict]:
    return [Verdict(goal, _reached(measured, row, goal.of)) for goal in GOALS.get(row.label, ())]


def machine() -> str:
    return f"{report.machine('dbos')} (apsw), {sqlite3.sqlite_version} (Python's own, used by dbos)"


def _footing(results: Sequence[Measured], rounds: int) -> Iterator[str]:
    yield f"\n{report.medians_of(rounds)}, ratios within a round, all at full durability."
    yield "dbos runs 100 workflows where litewf runs 5,000, and lets 1,000 sleep where litewf lets 100,000."
    yield f"{machine()}\n"
    yield from report.notes(results)


def _cells(measured: Measured, row: Row) -> tuple[str, ...]:
    verdicts = judge(measured, row)
    return (
        row.label,
        row.unit,
        *(report.figure(measured, row, contestant) for contestant in COLUMNS),
        "\n".join(_goal(verdict.goal) for verdict in verdicts),
        "\n".join(_outcome(measured, row, verdict) for verdict in verdicts),
    )


def _goal(goal: Goal) -> str:
    sign = "≤" if goal.at_most else "≥"
    return f"{sign} {_ratio(goal.bound, goal.of) if goal.of else number(goal.bound)}"


def _outcome(measured: Measured, row: Row, verdict: Verdict) -> str:
    if verdict.value is None:
        return MISSING
    of = verdict.goal.of
    text = _ratio(verdict.value, of) if of else number(verdict.value)
    beside = report.ratio(measured, row, DBOS_WAL) if of == DBOS else None
    also = f" ({_ratio(beside, DBOS_WAL)})" if beside is not None else ""
    return f"{'missed' if verdict.is_missed else 'yes'}: {text}{also}"


def _ratio(value: float, of: str | None) -> str:
    return f"{value:.3g} x {of}" if of in (DBOS, DBOS_WAL) else f"{100 * value:.3g} % of {of}"


def _reached(measured: Measured, row: Row, of: str | None) -> float | None:
    """Our figure, or the median of its ratios to another contestant's of the same round."""
    if of is not None:
        return report.ratio(measured, row, of)
    ours = measured.values(LITEWF, row.figure)
    return statistics.median(ours) if ours else None


def _goals(measured: Measured) -> dict[str, list[dict[str, object]]]:
    return {
        row.label: [
            {"goal": _goal(verdict.goal), "reached": verdict.value, "missed": verdict.is_missed}
            for verdict in judge(measured, row)
        ]
        for row in measured.workload.rows
    }
