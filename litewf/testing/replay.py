"""`assert_replays`: an exported run against the workflow as it is now, in a test."""

from __future__ import annotations

import os
from typing import Any

from litewf.api.upgrades import check_replay
from litewf.api.workflow import BaseWorkflow
from litewf.histories import History
from litewf.serialization import Serializer


def assert_replays(
    history: History | str | os.PathLike[str],
    workflow: BaseWorkflow[Any, Any],
    *,
    serializer: Serializer | None = None,
) -> None:
    """Assert that a workflow as it is now could go on with an exported run, or makes the same calls as a finished one.

    `history` is what `engine.export_workflow(id)` returned, or the path of a file that holds it. No step runs, and
    nothing is written. AssertionError says at which step they part, what is recorded there, what the code calls now,
    and what to do.
    """
    __tracebackhide__ = True  # pytest shows the line of the test
    if not isinstance(workflow, BaseWorkflow):
        raise TypeError(f"assert_replays takes a function with @workflow, not {workflow!r:.80}")
    run = history if isinstance(history, History) else History.load(history)
    if run.name != workflow.name:
        raise AssertionError(
            f"workflow {run.workflow_id!r} is a run of {run.name!r}, not of {workflow.name!r}; a workflow that was"
            f" renamed keeps its runs with @workflow(name={run.name!r})"
        )
    found = check_replay(run, workflow, serializer=serializer)
    if not found.matches:
        raise AssertionError(
            f"workflow {run.workflow_id!r} ({run.name}) does not replay: {found.reason}; {found.advice}"
        )
