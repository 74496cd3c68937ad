"""The options that many commands share, so that they are called and explained alike."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

DEFAULT_DB = Path("litewf.db")

Db = Annotated[
    Path, typer.Option("--db", metavar="PATH", envvar="LITEWF_DB", show_envvar=False, help="The file; or LITEWF_DB.")
]
Json = Annotated[bool, typer.Option("--json", help="The answer as JSON.")]
WorkflowId = Annotated[str, typer.Argument(metavar="ID", help="The id of the workflow.")]

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
DURATION = "DURATION"
DURATION_HELP = "seconds, or with a unit: 500ms, 90s, 15m, 2h, 7d, 4w"
MOMENT = "TIME"
MOMENT_HELP = "such as 2026-03-01, 2026-03-01T12:00+01:00 (without an offset: local time), or 2h for 2 hours ago"


def seconds(text: str) -> float:
    """A duration from the command line."""
    number = text.strip()
    unit = next((unit for unit in sorted(UNITS, key=len, reverse=True) if number.endswith(unit)), "s")
    try:
        value = float(number.removesuffix(unit)) * UNITS[unit]
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise typer.BadParameter(f"{text!r} is no duration; write {DURATION_HELP}")
    return value


def moment(text: str) -> datetime:
    """A point in time from the command line; a duration is that long ago."""
    try:
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.now().astimezone() - timedelta(seconds=seconds(text))
    except (typer.BadParameter, OverflowError):
        raise typer.BadParameter(f"{text!r} is no time; write one {MOMENT_HELP}") from None


Wait = Annotated[
    float | None,
    typer.Option("--timeout", parser=seconds, metavar=DURATION, help=f"How long to wait at most: {DURATION_HELP}."),
]
