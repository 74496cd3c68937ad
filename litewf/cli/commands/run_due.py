"""`litewf run-due`: run what is due, then exit, so that the system's own timers can wake a program."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

import litewf
from litewf.cli.logs import LogLevel, log_to_stderr
from litewf.cli.options import DEFAULT_DB, Db
from litewf.cli.programs import PARAMETER, registry_of


def run_due(
    program: Annotated[
        str, typer.Argument(metavar=PARAMETER, help="What defines the workflows; module alone: the default.")
    ],
    *,
    log_level: LogLevel = "warning",
    db: Db = DEFAULT_DB,
) -> None:
    """Run what is due, wait until nothing runs, and print when something is due next: a time, or never.

    For launchd, systemd timers or the Task Scheduler. Workflows that wait for a time or a message stay in the file.
    Exit status 0, also if workflows failed: their errors are in the file.
    """
    registry = registry_of(program)
    log_to_stderr(log_level)
    typer.echo(shown(run(litewf.Engine(db, registry=registry, linger=0))))


def run(engine: litewf.Engine) -> datetime | None:
    """Let an engine do what there is to do now; when there is more."""
    with engine:
        engine.wait_until_idle()
        return engine.next_due()


def shown(due: datetime | None) -> str:
    return "never" if due is None else due.isoformat(timespec="seconds")
