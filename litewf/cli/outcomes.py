"""How a workflow ended, for commands that wait for it: its output, or one line and an exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from litewf.cli import documents, output
from litewf.cli.exits import NO, NOT_FOUND, REFUSED, TIMEOUT, Failure
from litewf.cli.text import as_json
from litewf.records import TERMINAL
from litewf.store import reading
from litewf.store.reading import StatusRow

if TYPE_CHECKING:
    from litewf.api.client import Client
    from litewf.api.handle import WorkflowHandle


def wait_for(client: Client, handle: WorkflowHandle[Any], timeout_s: float | None) -> StatusRow:
    """Wait until a workflow has ended or is held, or the time is over; where it stands then."""
    from litewf.api.outside import ask  # noqa: PLC0415 - loaded by now, but not by those who only look

    try:
        handle.get_result(timeout=timeout_s)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001, S110 - a workflow may have recorded any error: the row says what it was
        pass
    row = ask(client, lambda connection: reading.status_of(connection, handle.workflow_id))
    if row is None:
        raise Failure(f"workflow {handle.workflow_id!r} was deleted meanwhile", NOT_FOUND)
    return row


def report(row: StatusRow, *, json_: bool) -> None:
    """Print the output of a workflow; end with one line and a status if there is none."""
    if json_:
        output.print_json(documents.workflow(row))
    if row.status == "SUCCESS":
        if not json_:
            typer.echo(as_json(documents.shown(row.output)))
        return
    if row.held:
        raise Failure(f"workflow {row.id!r} is held: {row.held}", REFUSED)
    if row.status not in TERMINAL:
        raise Failure(f"workflow {row.id!r} has not ended in time; it is {row.status}", TIMEOUT)
    error = documents.error_line(documents.error_shown(row.error))
    raise Failure(f"workflow {row.id!r} ended as {row.status}: {error}", NO)
