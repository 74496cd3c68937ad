"""Telemetry for the engines that commands run: their providers are those of the process."""

from __future__ import annotations

from typing import Annotated

import typer

from litewf.api.engine import Engine
from litewf.cli.exits import USAGE, Failure

Telemetry = Annotated[
    bool, typer.Option("--telemetry", help="Spans and metrics, to the OpenTelemetry providers of this process.")
]


def watched(engine: Engine, *, telemetry: bool) -> Engine:
    """The engine, instrumented if that is asked for."""
    if not telemetry:
        return engine
    try:
        from litewf.telemetry import instrument  # noqa: PLC0415 - an extra, which few processes need
    except ModuleNotFoundError as missing:
        raise Failure(str(missing), USAGE) from None
    return instrument(engine)
