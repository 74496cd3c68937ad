"""Switches a watch on and off: a watched engine is the same engine with three of its functions replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litewf.engine.binding import bound
from litewf.engine.plain_steps import flow_call, flow_in_thread

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime
    from litewf.engine.watching import Watch


def observe(runtime: Runtime, watch: Watch | None) -> None:
    """Tell someone what this engine does from now on; its steps take the way that has room for it."""
    for name in ("watch", "step_call", "step_in_thread", "function_of"):
        runtime.__dict__.pop(name, None)
    if watch is not None:
        runtime.__dict__.update(
            watch=watch,
            step_call=flow_call,
            step_in_thread=flow_in_thread,
            function_of=lambda execution: watch.workflow(execution, bound(execution)),
        )
