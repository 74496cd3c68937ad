"""`litewf bench`: what litewf costs on the user's own disk, beside raw SQLite."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from litewf.cli.benchmarks import report, rounds
from litewf.cli.benchmarks.catalog import WORKLOADS, Workload

NAMES = ", ".join(workload.name for workload in WORKLOADS)


def bench(
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help=f"One or several of {NAMES}.")] = None,
    *,
    db: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the files go: a directory on the disk to measure.")
    ] = None,
    rounds_: Annotated[int, typer.Option("--rounds", min=1, metavar="N", help="How often; medians are shown.")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="Smaller sizes, one round; some seconds.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Every figure as JSON.")] = False,
) -> None:
    """Measure litewf on this disk, beside raw apsw with the same settings; some minutes.

    Exit status 1 if a measurement failed.
    """
    if db is not None and not db.is_dir():
        raise typer.BadParameter(f"there is no directory {db}", param_hint="--db")
    if unknown := set(only or ()) - {workload.name for workload in WORKLOADS}:
        raise typer.BadParameter(f"no workload {', '.join(sorted(unknown))}; there are {NAMES}", param_hint="--only")
    chosen = [workload for workload in WORKLOADS if not only or workload.name in only]
    if quick:
        chosen, rounds_ = [workload.at_quick_sizes() for workload in chosen], 1
    results = measure(chosen, rounds_, db)
    if json_:
        typer.echo(report.as_json(results, rounds_))
    else:
        report.show(report.screen(), results, rounds_)
    if any(measured.failures for measured in results):
        raise typer.Exit(1)


def measure(chosen: list[Workload], count: int, directory: Path | None) -> list[rounds.Measured]:
    """Measure, telling on the error stream what is being measured."""
    progress = Console(stderr=True)
    if not progress.is_terminal:
        return rounds.measure(chosen, count, directory, lambda line: typer.echo(line, err=True))
    with progress.status("measuring") as status:
        return rounds.measure(chosen, count, directory, status.update)
