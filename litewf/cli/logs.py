"""What programs that the command line runs log: to the error stream, unless they set up logging themselves."""

from __future__ import annotations

import logging
from typing import Annotated, Any, Literal

import typer

from litewf.api.logs import LogContext
from litewf.cli.text import printable

Level = Literal["debug", "info", "warning", "error"]
LogLevel = Annotated[
    Level, typer.Option("--log-level", help="What is logged to the error stream, if the module sets up no logging.")
]


class Lines(logging.Formatter):
    """One line for each record, with the workflow and step that it was logged in; tracebacks follow on their own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """The line; those of litewf's own loggers name their workflow themselves."""
        ids = [str(one) for one in (getattr(record, "workflow_id", None), getattr(record, "step_id", None)) if one]
        if ids and record.name.partition(".")[0] != "litewf":
            record.message = f"[{' '.join(ids)}] {record.message}"
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


def log_to_stderr(level: Level) -> None:
    """Log from now on, once for each thing that happens: what a workflow only repeats is left out."""
    root = logging.getLogger()
    if root.handlers:
        return
    handler = logging.StreamHandler()
    handler.addFilter(LogContext(during_replay=False))
    handler.setFormatter(Lines())
    root.addHandler(handler)
    root.setLevel(level.upper())
