"""W3C trace contexts as text: the `trace` column of what was started or sent.

Always traceparent and tracestate, whatever propagators the program uses, so that every process that opens the file
reads them; baggage is not kept, since it may hold what does not belong in a file.
"""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.trace import Link, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

W3C = TraceContextTextMapPropagator()


def as_text(context: Context | None = None) -> str | None:
    """A context, or the current one, as text; None if there is no span in it."""
    carrier: dict[str, str] = {}
    W3C.inject(carrier, context)
    if "traceparent" not in carrier:
        return None
    return f"{carrier['traceparent']} {carrier.get('tracestate', '')}".rstrip()


def as_context(text: str | None) -> Context | None:
    """The context that a text stands for; an unreadable one is none."""
    if text is None:
        return None
    traceparent, _, tracestate = text.partition(" ")
    context = W3C.extract({"traceparent": traceparent, "tracestate": tracestate}, Context())
    return context if get_current_span(context).get_span_context().is_valid else None


def as_links(text: str | None) -> list[Link]:
    """A link to the span that a text stands for."""
    context = as_context(text)
    return [] if context is None else [Link(get_current_span(context).get_span_context())]
