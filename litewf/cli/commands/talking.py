"""`litewf send`, `event`, `stream` and `publish`: talk with workflows, and hear what they say."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from litewf.cli import documents, output, values
from litewf.cli.exits import NOT_FOUND, Failure
from litewf.cli.files import opened
from litewf.cli.options import DEFAULT_DB, Db, Json, Wait, WorkflowId
from litewf.cli.text import as_json
from litewf.errors import WaitTimeoutError


def send(
    workflow_id: WorkflowId,
    message: Annotated[str, typer.Argument(metavar=values.VALUE, help=f"The message: {values.HELP}.")],
    *,
    topic: Annotated[str | None, typer.Option(metavar="TEXT", help="The topic that it listens to.")] = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--key", metavar="TEXT", help="Sent again with the same key it counts once.")
    ] = None,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Send a message to a workflow; it is kept until the workflow receives it."""
    with opened(db) as client:
        client.send(workflow_id, values.value(message), topic, idempotency_key=idempotency_key)
    if json_:
        output.print_json({"workflow_id": workflow_id, "topic": topic})


def event(
    workflow_id: WorkflowId,
    key: Annotated[str | None, typer.Argument(metavar="[KEY]", help="Which event; without, all.")] = None,
    *,
    timeout: Wait = None,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Print what a workflow shows under a key, as JSON, or all that it shows.

    With --timeout it waits until the event is set: exit status 7 if that does not come. Without, 3 if it is not there.
    """
    if timeout is not None and key is None:
        raise typer.BadParameter("it says how long to wait for an event; name its KEY", param_hint="--timeout")
    with opened(db) as client:
        if key is None:
            _print_events(client.get_all_events(workflow_id), json_=json_)
            return
        try:
            found: Any = client.get_event(workflow_id, key, timeout=timeout or 0)
        except WaitTimeoutError:
            if timeout is None:
                raise Failure(f"workflow {workflow_id!r} shows no event {key!r}", NOT_FOUND) from None
            raise
    _print_value(found, json_=json_)


def stream(
    workflow_id: WorkflowId,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The name of the stream.")],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the stream ends.")] = False,
    offset: Annotated[int, typer.Option(min=0, metavar="N", help="The first value to print.")] = 0,
    timeout: Wait = None,
    recorded_only: Annotated[
        bool, typer.Option("--recorded-only", help="Leave out what failed attempts of steps wrote.")
    ] = False,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Print the values of a stream, each as JSON on a line of its own, as they come.

    With --json each line is an object with the value, its offset, and the attempt of the step that wrote it.
    """
    if timeout is not None and not follow:
        raise typer.BadParameter("it says how long to --follow; give that, too", param_hint="--timeout")
    with opened(db) as client:
        items = client.read_stream_items(
            workflow_id, key, offset=offset, follow=follow, timeout=timeout, recorded_only=recorded_only
        )
        for item in items:
            value = documents.of_value(item.value)
            line = {"offset": item.offset, "value": value, "attempt": item.attempt, "recorded": item.recorded}
            output.print_json_line(line if json_ else value)


def publish(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="The type of the event, such as payment.received.")],
    data: Annotated[str, typer.Argument(metavar=values.VALUE, help=f"Its data: {values.HELP}.")],
    *,
    source: Annotated[str, typer.Option(metavar="TEXT", help="Who says so.")] = "litewf",
    subject: Annotated[str | None, typer.Option(metavar="TEXT", help="What it is about.")] = None,
    id_: Annotated[str | None, typer.Option("--id", metavar="TEXT", help="Each (source, id) counts once.")] = None,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Publish a CloudEvent to the workflows that wait for it, now or later.

    Prints whether it was accepted, or is a duplicate.
    """
    with opened(db) as client:
        accepted = client.publish_event(type_, values.value(data), source=source, subject=subject, id=id_)
    if json_:
        output.print_json({"accepted": accepted})
    else:
        typer.echo("accepted" if accepted else "duplicate")


def _print_events(events: dict[str, Any], *, json_: bool) -> None:
    plain = {key: documents.of_value(value) for key, value in events.items()}
    if json_:
        output.print_json(plain)
        return
    rows = [(key, as_json(value)) for key, value in plain.items()]
    output.print_table(("KEY", "VALUE"), rows, "it has set no event")


def _print_value(value: Any, *, json_: bool) -> None:
    plain = documents.of_value(value)
    if json_:
        output.print_json({"value": plain})
    else:
        typer.echo(as_json(plain))
