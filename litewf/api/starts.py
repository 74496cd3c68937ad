"""Starting workflows as actions: at once or from a queue, outside or as children."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litewf.api.actions import Action
from litewf.api.handle import WorkflowHandle
from litewf.engine import starting
from litewf.engine.starting import StartRequest


def start(what: str, request: StartRequest) -> Action[WorkflowHandle[Any]]:
    """Start one workflow."""
    return Action(
        what,
        lambda runtime: starting.start_outside(runtime, request),
        lambda execution, number: starting.start_child(execution, number, request),
        lambda runtime, workflow_id: WorkflowHandle(workflow_id, runtime),
    )


def start_many(what: str, requests: Sequence[StartRequest]) -> Action[list[WorkflowHandle[Any]]]:
    """Start several workflows in one commit."""
    return Action(
        what,
        lambda runtime: starting.start_many_outside(runtime, requests),
        lambda execution, number: starting.start_children(execution, number, requests),
        lambda runtime, ids: [WorkflowHandle(workflow_id, runtime) for workflow_id in ids],
    )
