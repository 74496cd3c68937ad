"""OpenTelemetry for litewf: spans and metrics, one trace for each workflow across processes and crashes.

    instrument(engine)     from now on; before or after its launch, for clients too
    uninstrument(engine)

    watch.py     what happens becomes spans and metrics
    context.py   trace contexts as text that the file keeps

Only here is `opentelemetry-api` imported, the extra `telemetry`; nothing of litewf imports this package. Spans and
metrics go to the providers that the program has set up; without any, nothing happens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from litewf.api.async_client import AsyncClient
from litewf.api.client import Client
from litewf.api.engine import Engine

try:
    from litewf.telemetry.watch import TelemetryWatch
except ModuleNotFoundError as missing:
    if missing.name is None or missing.name.partition(".")[0] != "opentelemetry":
        raise
    raise ModuleNotFoundError(
        "litewf.telemetry needs the package opentelemetry-api: pip install 'litewf[telemetry]'", name=missing.name
    ) from missing

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

E = TypeVar("E", Engine, Client, AsyncClient)


def instrument(
    engine: E, *, tracer_provider: TracerProvider | None = None, meter_provider: MeterProvider | None = None
) -> E:
    """Give this engine or client spans and metrics, from now on; returns it.

    The global providers are used unless others are given. Before the launch is better: what was started earlier carries
    no trace context.
    """
    engine._observe(TelemetryWatch(tracer_provider, meter_provider))  # noqa: SLF001 - a part of litewf, as an extra
    return engine


def uninstrument(engine: Engine | Client | AsyncClient) -> None:
    """Stop giving spans and metrics."""
    engine._observe(None)  # noqa: SLF001 - as above


__all__ = ["instrument", "uninstrument"]
