"""What an engine does, as spans and metrics.

    start NAME     a workflow is started or enqueued, outside of workflows; the context is stored with it
    queue NAME     from the enqueue (or the end of its delay) to the first claim
    workflow NAME  each time a workflow is in memory: a first run, a wake-up, a recovery, in this process or another
    step NAME      each attempt whose body ran; what is replayed has no span
    receive TOPIC  a message was taken, with a link to the span in which it was sent

All of a workflow is in the trace in which it was started: its runs are children of the start, its steps and its own
children are under the run that called them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import context as contexts
from opentelemetry import metrics, trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from litewf.engine.execution import FRAME, Execution, StepFrame
from litewf.engine.signals import Unwind
from litewf.store.reading import Queued
from litewf.store.starts import FIRST_FENCE
from litewf.telemetry.context import as_context, as_links, as_text

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

    from litewf.engine.watching import Body

Attributes = dict[str, str | int]
LOG = logging.getLogger("litewf")
SCOPE = "litewf"


class TelemetryWatch:
    """Turns what it is told into spans and metrics; see `engine/watching.py`."""

    def __init__(self, tracer_provider: TracerProvider | None, meter_provider: MeterProvider | None) -> None:
        self._tracer = trace.get_tracer(SCOPE, tracer_provider=tracer_provider)
        meter = metrics.get_meter(SCOPE, meter_provider=meter_provider)
        self._started = meter.create_counter("litewf.workflow.started", "{workflow}", "Workflows that began to run")
        self._ended = meter.create_counter("litewf.workflow.ended", "{workflow}", "Workflows that ended, by status")
        self._active = meter.create_up_down_counter(
            "litewf.workflow.active", "{workflow}", "Workflows in the memory of this engine"
        )
        self._run_s = meter.create_histogram("litewf.workflow.run.duration", "s", "Time in memory, for each run")
        self._step_s = meter.create_histogram("litewf.step.duration", "s", "Time in a step's body, for each attempt")
        self._queue_s = meter.create_histogram("litewf.queue.wait", "s", "Time from the enqueue to the first run")

    # --- where things come from -------------------------------------------------------------------------------

    def starts(self, name: str, workflow_id: str | None = None, queue: str | None = None) -> str | None:
        """A span of its own outside of workflows; inside, the run or the step is where it comes from."""
        if FRAME.get() is not None:
            return as_text()
        attributes: Attributes = {"litewf.workflow.name": name}
        if workflow_id is not None:
            attributes["litewf.workflow.id"] = workflow_id
        if queue is not None:
            attributes["litewf.queue.name"] = queue
        with self._span(f"start {name}", None, attributes, SpanKind.PRODUCER):
            return as_text()

    def sends(self) -> str | None:
        return as_text()

    # --- workflows --------------------------------------------------------------------------------------------

    def workflow(self, execution: Execution, fn: Body) -> Body:
        if execution.definition.is_async:

            async def run_async(*args: Any, **kwargs: Any) -> Any:
                with self._run(execution):
                    return await fn(*args, **kwargs)

            return run_async

        def run(*args: Any, **kwargs: Any) -> Any:
            with self._run(execution):
                return fn(*args, **kwargs)

        return run

    @contextmanager
    def _run(self, execution: Execution) -> Iterator[None]:
        """A run, from the first call to the moment at which the workflow ends or leaves memory."""
        named: Attributes = {"litewf.workflow.name": execution.definition.name}
        attributes = {
            **named,
            "litewf.workflow.id": execution.id,
            "litewf.workflow.generation": execution.generation,
            "litewf.workflow.run": execution.fence,
            "litewf.workflow.recorded_steps": len(execution.records),
        }
        if execution.fence == FIRST_FENCE:
            self._started.add(1, named)
        self._active.add(1, named)
        began = time.perf_counter()
        origin = as_context(execution.about.trace) or contexts.Context()
        end = "returned"
        with self._span(f"workflow {execution.definition.name}", origin, attributes, SpanKind.CONSUMER) as span:
            try:
                yield
            except Unwind as over:
                end = over.why
                raise
            except BaseException as raised:
                end = "raised"
                if execution.over is None:
                    _fail(span, raised)
                raise
            finally:
                end = end if execution.over is None else execution.over.why
                span.set_attribute("litewf.workflow.run.end", end)
                self._active.add(-1, named)
                self._run_s.record(time.perf_counter() - began, {**named, "litewf.workflow.run.end": end})
                if end == "cancelled":
                    self._ended.add(1, {**named, "litewf.workflow.status": "CANCELLED"})

    def ended(self, execution: Execution, status: str) -> None:
        self._ended.add(1, {"litewf.workflow.name": execution.definition.name, "litewf.workflow.status": status})

    def queued(self, execution: Execution, stay: Queued) -> None:
        until_us = max(stay.until_us, stay.since_us)
        attributes: Attributes = {"litewf.queue.name": stay.queue, "litewf.workflow.name": execution.definition.name}
        self._queue_s.record((until_us - stay.since_us) / 1_000_000, attributes)
        origin = as_context(execution.about.trace) or contexts.Context()
        attributes["litewf.workflow.id"] = execution.id
        span = self._begin(f"queue {stay.queue}", origin, attributes, start_time=stay.since_us * 1000)
        _end(span, until_us * 1000)

    # --- steps ------------------------------------------------------------------------------------------------

    def body(self, fn: Body, *, is_async: bool) -> Body:
        parent = contexts.get_current()  # of the workflow; the body may run in another thread
        if is_async:

            async def attempt_async(*args: Any, **kwargs: Any) -> Any:
                with self._attempt(parent):
                    return await fn(*args, **kwargs)

            return attempt_async

        def attempt(*args: Any, **kwargs: Any) -> Any:
            with self._attempt(parent):
                return fn(*args, **kwargs)

        return attempt

    @contextmanager
    def _attempt(self, parent: contexts.Context) -> Iterator[None]:
        frame = FRAME.get()
        assert isinstance(frame, StepFrame), "bodies run in their frame"
        execution = frame.execution
        named: Attributes = {"litewf.workflow.name": execution.definition.name, "litewf.step.name": frame.name}
        attributes = {
            **named,
            "litewf.workflow.id": execution.id,
            "litewf.step.id": frame.number,
            "litewf.step.attempt": frame.attempt,
        }
        began = time.perf_counter()
        outcome = "returned"
        with self._span(f"step {frame.name}", parent, attributes, SpanKind.INTERNAL) as span:
            try:
                yield
            except BaseException as raised:
                outcome = "raised"
                _fail(span, raised)
                raise
            finally:
                self._step_s.record(time.perf_counter() - began, {**named, "litewf.step.outcome": outcome})

    # --- messages ---------------------------------------------------------------------------------------------

    def received(self, execution: Execution, number: str, name: str, since_us: int, trace: str | None) -> None:
        attributes: Attributes = {
            "litewf.workflow.name": execution.definition.name,
            "litewf.workflow.id": execution.id,
            "litewf.step.id": number,
            "litewf.message.topic": name,
        }
        since_ns = max(since_us, execution.loaded_us) * 1000
        kind, links = SpanKind.CONSUMER, as_links(trace)
        span = self._begin(f"receive {name}".rstrip(), None, attributes, kind, links=links, start_time=since_ns)
        _end(span, execution.now_us() * 1000)

    # --- spans ------------------------------------------------------------------------------------------------

    @contextmanager
    def _span(
        self, name: str, parent: contexts.Context | None, attributes: Attributes, kind: SpanKind
    ) -> Iterator[Span]:
        """A span that is the current one meanwhile."""
        span = self._begin(name, parent, attributes, kind)
        token = contexts.attach(trace.set_span_in_context(span))
        try:
            yield span
        finally:
            contexts.detach(token)
            _end(span)

    def _begin(
        self,
        name: str,
        parent: contexts.Context | None,
        attributes: Attributes,
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] = (),
        start_time: int | None = None,
    ) -> Span:
        """Samplers and processors are foreign code: where they fail, the workflow goes on without the span."""
        try:
            return self._tracer.start_span(name, parent, kind, attributes, links, start_time)
        except Exception:
            LOG.exception("telemetry could not begin the span %r", name)
            return trace.INVALID_SPAN


def _end(span: Span, end_time: int | None = None) -> None:
    try:
        span.end(end_time)
    except Exception:
        LOG.exception("telemetry could not end a span")


def _fail(span: Span, raised: BaseException) -> None:
    if isinstance(raised, Exception):
        span.record_exception(raised)
        span.set_status(Status(StatusCode.ERROR, f"{type(raised).__name__}: {raised}"))
