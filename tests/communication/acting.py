"""What many of these tests do."""

from typing import Any

import litewf
from tests.stage import Stage


def start(
    engine: litewf.Engine, workflow: Any, workflow_id: str, *args: Any, **kwargs: Any
) -> litewf.WorkflowHandle[Any]:
    """Start a workflow under an id."""
    handle: litewf.WorkflowHandle[Any] = engine.start_workflow(
        workflow.with_options(workflow_id=workflow_id), *args, **kwargs
    )
    return handle


def start_parked(
    stage: Stage, engine: litewf.Engine, workflow: Any, workflow_id: str, *args: Any
) -> litewf.WorkflowHandle[Any]:
    """Start a workflow and wait until it has left memory."""
    handle = start(engine, workflow, workflow_id, *args)
    stage.parked(handle)
    return handle


def rows(engine: litewf.Engine, table: str) -> int:
    """How many rows a table has."""
    return int(engine.query(f"SELECT count(*) FROM {table}")[0][0])
