"""The seam for telemetry: what an engine tells whoever watches it. Nobody does by default; `observing.py` changes that.

Without a watch it costs one look at an attribute for each start, each end, and each step that is not plain. Plain steps
(`plain_steps.py`) cost nothing, since a watched engine sends all steps the other way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from litewf.store import reading
from litewf.store.starts import FIRST_FENCE

if TYPE_CHECKING:
    from litewf.engine.execution import Execution
    from litewf.engine.runtime import Runtime
    from litewf.store.reading import Queued

Body = Callable[..., Any]


class Watch(Protocol):
    """Someone who watches what an engine does; nothing here may raise or wait."""

    def starts(self, name: str, workflow_id: str | None = None, queue: str | None = None) -> str | None:
        """A workflow is about to be started; the trace context to store with it."""

    def sends(self) -> str | None:
        """A message is about to be sent; the trace context to store with it."""

    def workflow(self, execution: Execution, fn: Body) -> Body:
        """The function of a workflow, to be called once for this execution."""

    def body(self, fn: Body, *, is_async: bool) -> Body:
        """The body of a step, to be called in its frame, once for each attempt."""

    def queued(self, execution: Execution, stay: Queued) -> None:
        """A workflow was started from its queue."""

    def received(self, execution: Execution, number: str, name: str, since_us: int, trace: str | None) -> None:
        """A workflow has taken a message for which it had waited since then."""

    def ended(self, execution: Execution, status: str) -> None:
        """A workflow has ended; its outcome is durable."""


def start_trace(runtime: Runtime, name: str, workflow_id: str | None = None, queue: str | None = None) -> str | None:
    """The trace context to store with a workflow that is about to be started."""
    return None if runtime.watch is None else runtime.watch.starts(name, workflow_id, queue)


def tell_of_queues(runtime: Runtime, watch: Watch, executions: Sequence[Execution]) -> None:
    """Tell for how long those had waited that were started from a queue just now."""
    first = {one.key: one for one in executions if one.about.queue is not None and one.fence == FIRST_FENCE}
    if first:
        for stay in runtime.store.read(lambda connection: reading.queued(connection, tuple(first))):
            watch.queued(first[stay.key], stay)
