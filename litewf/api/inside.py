"""The operations on workflows as module functions: inside a workflow each is a durable call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litewf.api.workflows import WorkflowOperations
from litewf.engine.execution import FRAME, Branch, StepFrame
from litewf.errors import NotInWorkflowError, UsageError

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


class Inside(WorkflowOperations):
    """The engine that runs the calling workflow."""

    def _running(self) -> Runtime:
        frame = FRAME.get()
        if type(frame) is Branch:
            return frame.execution.runtime
        if isinstance(frame, StepFrame):
            raise UsageError(
                f"step {frame.number} ({frame.name}) of {frame.execution.label} called a function that belongs to"
                " workflows; use the engine's method of the same name"
            )
        raise NotInWorkflowError("called outside a workflow; use the engine's method of the same name")


inside = Inside()
