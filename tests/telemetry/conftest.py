"""Where spans and metrics go in these tests: the memory exporters of the SDK, never the global providers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import litewf
from litewf.telemetry import instrument
from tests.stage import Stage


class Scope:
    """What was exported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.tracers.get_tracer("test")
        self._reader = InMemoryMetricReader()
        self.meters = MeterProvider([self._reader], shutdown_on_exit=False)

    def instrument(self, engine: Any) -> Any:
        return instrument(engine, tracer_provider=self.tracers, meter_provider=self.meters)

    def spans(self, prefix: str = "") -> list[ReadableSpan]:
        """The spans that have ended, in the order of their ends."""
        return [span for span in self.exporter.get_finished_spans() if span.name.startswith(prefix)]

    def span(self, name: str) -> ReadableSpan:
        (one,) = [span for span in self.spans() if span.name == name]
        return one

    def metric(self, name: str) -> dict[tuple[Any, ...], float]:
        """The sum of a metric, or the count of a histogram, by the values of its attributes in the order of names."""
        found = self._reader.get_metrics_data()
        metrics = [one for r in found.resource_metrics for s in r.scope_metrics for one in s.metrics]
        points = [point for one in metrics if one.name == name for point in one.data.data_points]
        return {
            tuple(value for _, value in sorted(point.attributes.items())): getattr(point, "value", None)
            if hasattr(point, "value")
            else point.count
            for point in points
        }


@pytest.fixture
def scope() -> Scope:
    return Scope()


@pytest.fixture
def stage(path: Path, registry: litewf.Registry) -> Stage:
    return Stage(path, registry)


@pytest.fixture
def launch(stage: Stage, scope: Scope) -> Iterator[Callable[..., litewf.Engine]]:
    """Instrumented engines that park at every wait, under the clock of the stage."""
    engines = []

    def start(**options: Any) -> litewf.Engine:
        engine = stage.engine(**options)
        engines.append(scope.instrument(engine))
        engine.launch()
        return engine

    yield start
    for engine in engines:
        engine.shutdown()
