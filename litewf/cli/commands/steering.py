"""`litewf cancel`, `resume`, `fork`, `rewind` and `delete`: change the course of workflows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from litewf.api.client import Client
from litewf.cli import exits, output
from litewf.cli.files import opened
from litewf.cli.options import DEFAULT_DB, Db, Json, WorkflowId
from litewf.errors import UsageError, WorkflowConflictError, WorkflowNotFoundError, WorkflowStateError

# what one workflow may refuse while others may not; trouble with the file ends everything
REFUSALS = (UsageError, WorkflowConflictError, WorkflowNotFoundError, WorkflowStateError)
Ids = Annotated[list[str], typer.Argument(metavar="ID...", help="The ids of the workflows.")]


def cancel(workflow_ids: Ids, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Cancel workflows and their children; a step that runs is not interrupted, and nothing starts after it."""
    _each(db, workflow_ids, _cancel, json_=json_)


def _cancel(client: Client, workflow_id: str) -> None:
    client.cancel_workflow(workflow_id)
    status = client.retrieve_workflow(workflow_id).get_status()  # asked afterwards: it may have ended in between
    if status.completed_at is not None and status.status != "CANCELLED":
        raise WorkflowStateError(
            f"workflow {workflow_id!r} ({status.name}) has ended with {status.status}: there is nothing to cancel"
        )


def resume(workflow_ids: Ids, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Let cancelled, given up, held or queued workflows go on from their last recorded step."""
    _each(db, workflow_ids, lambda client, one: client.resume_workflow(one), json_=json_)


def rewind(
    workflow_ids: Ids,
    *,
    step: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="From which step; by default the first that failed.")
    ] = None,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Run finished workflows again from a step, under their own ids; what they recorded before it stays."""
    _each(db, workflow_ids, lambda client, one: client.rewind_workflow(one, step), json_=json_)


def delete(workflow_ids: Ids, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Remove finished workflows with all that they recorded."""
    _each(db, workflow_ids, lambda client, one: client.delete_workflow(one), json_=json_)


def fork(
    workflow_id: WorkflowId,
    *,
    step: Annotated[int, typer.Option(min=1, metavar="N", help="The first step that runs anew.")] = 1,
    id_: Annotated[str | None, typer.Option("--id", metavar="ID", help="The id of the copy.")] = None,
    version: Annotated[str | None, typer.Option(metavar="TEXT", help="Only engines of this version run it.")] = None,
    queue: Annotated[str | None, typer.Option(metavar="QUEUE", help="Where the copy waits for its turn.")] = None,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Start a copy of a workflow that has recorded the steps before one; prints its id."""
    with opened(db) as client:
        handle = client.fork_workflow(workflow_id, step, workflow_id=id_, application_version=version, queue=queue)
    output.print_id("workflow_id", handle.workflow_id, json_=json_)


def _each(db: Path, ids: list[str], change: Callable[[Client, str], Any], *, json_: bool) -> None:
    """Change each; what cannot be changed is told and passed over, and the first such gives the exit status."""
    done: list[str] = []
    status = exits.DONE
    with opened(db) as client:
        for one in ids:
            try:
                change(client, one)
            except REFUSALS as error:
                exits.complain(error)
                status = status or exits.status_of(error) or exits.NO
            else:
                done.append(one)
    output.print_ids(done, json_=json_)
    raise typer.Exit(status)
