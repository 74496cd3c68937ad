"""The operations on workflows as module functions: inside a workflow each is a durable call."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from litewf.api.workflows import WorkflowOperations
from litewf.engine.execution import FRAME, Branch, StepFrame
from litewf.errors import NotInWorkflowError, UsageError

if TYPE_CHECKING:
    from types import FrameType

    from litewf.engine.runtime import Runtime


class Inside(WorkflowOperations):
    """The engine that runs the calling workflow."""

    def _running(self) -> Runtime:
        frame = FRAME.get()
        if type(frame) is Branch:
            return frame.execution.runtime
        name = _operation(sys._getframe(1))  # noqa: SLF001 - costs nothing unless it is refused
        if isinstance(frame, StepFrame):
            raise UsageError(
                f"step {frame.number} ({frame.name}) of {frame.execution.label} called {name}(), which belongs to"
                f" workflows; use engine.{name}(...)"
            )
        raise NotInWorkflowError(f"{name}() was called outside a workflow; use engine.{name}(...)")


def _operation(caller: FrameType) -> str:
    """The name of the operation that asks; most are derived from a method that makes an action."""
    method = caller.f_locals.get("method")
    name: str = caller.f_code.co_name if method is None else method.__name__
    return name


inside = Inside()
