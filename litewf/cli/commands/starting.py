"""`litewf start`, `enqueue` and `result`: put workflows to work by their names, and get what comes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from litewf.api.outside import ask, start_named
from litewf.api.workflow import WorkflowOptions
from litewf.cli import output, values
from litewf.cli.files import opened
from litewf.cli.options import DEFAULT_DB, DURATION, DURATION_HELP, Db, Json, Wait, WorkflowId, seconds
from litewf.cli.outcomes import report, wait_for
from litewf.store import lockfile, looking
from litewf.store.lockfile import Peer
from litewf.store.readers import Reader

Texts = list[str] | None
Name = Annotated[str, typer.Argument(metavar="WORKFLOW", help="The name under which a program has the workflow.")]
Arguments = Annotated[Texts, typer.Argument(metavar="[VALUE]...", help=f"Its arguments: {values.HELP}.")]
Keywords = Annotated[Texts, typer.Option("--arg", metavar="NAME=VALUE", help="An argument by its name; repeatable.")]
Id = Annotated[str | None, typer.Option("--id", metavar="ID", help="Its id; starting it twice is then harmless.")]
Reject = Annotated[bool, typer.Option("--reject", help="Refuse if the id exists; without, attach to what is there.")]
Deadline = Annotated[
    Any, typer.Option("--deadline", parser=seconds, metavar=DURATION, help="Cancel it if it takes longer.")
]
User = Annotated[str | None, typer.Option(metavar="TEXT", help="The authenticated user.")]
Roles = Annotated[Texts, typer.Option("--role", metavar="TEXT", help="An authenticated role; repeatable.")]
Attributes = Annotated[Texts, typer.Option("--attribute", metavar="NAME=VALUE", help="To search by; repeatable.")]
Version = Annotated[str | None, typer.Option("--version", metavar="TEXT", help="Only engines of this version run it.")]
Waiting = Annotated[bool, typer.Option("--wait", help="Wait for its end, and print its output.")]


def start(
    name: Name,
    arguments: Arguments = None,
    *,
    arg: Keywords = None,
    id_: Id = None,
    reject: Reject = False,
    deadline: Deadline = None,
    user: User = None,
    role: Roles = None,
    attribute: Attributes = None,
    version: Version = None,
    wait: Waiting = False,
    timeout: Wait = None,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Start a workflow; an engine that knows it takes it up at once, or as soon as one runs.

    Prints its id, or with --wait its output: exit status 1 if it fails, 4 if it is held, 7 after --timeout.
    What begins with a dash goes after --, as in: litewf start add -- -1 2
    """
    options = _options((id_, version), reject=reject, deadline=deadline, who=(user, role), attribute=attribute)
    _begin(db, name, (arguments, arg), options, wait=wait, timeout=timeout, json_=json_)


def enqueue(
    queue: Annotated[str, typer.Argument(metavar="QUEUE", help="The queue; it need not have limits.")],
    name: Name,
    arguments: Arguments = None,
    *,
    arg: Keywords = None,
    id_: Id = None,
    reject: Reject = False,
    priority: Annotated[int | None, typer.Option(metavar="N", help="1 comes first; none before all.")] = None,
    deduplication_id: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Held until its end; a second one is refused.")
    ] = None,
    on_duplicate: Annotated[
        Literal["raise", "return_existing"], typer.Option(help="Whether a duplicate is refused, or found.")
    ] = "raise",
    partition_key: Annotated[str | None, typer.Option(metavar="TEXT", help="Shares the partition's limit.")] = None,
    delay: Annotated[
        Any, typer.Option(parser=seconds, metavar=DURATION, help=f"Start it no earlier: {DURATION_HELP}.")
    ] = None,
    deadline: Deadline = None,
    user: User = None,
    role: Roles = None,
    attribute: Attributes = None,
    version: Version = None,
    wait: Waiting = False,
    timeout: Wait = None,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Put a workflow on a queue; it starts when the queue's limits allow it.

    Prints its id, or with --wait its output, with the exit status as of start.
    """
    options = _options((id_, version), reject=reject, deadline=deadline, who=(user, role), attribute=attribute)
    options |= {
        "queue": queue, "priority": priority, "deduplication_id": deduplication_id, "on_duplicate": on_duplicate,
        "partition_key": partition_key, "delay": delay,
    }  # fmt: skip
    _begin(db, name, (arguments, arg), options, wait=wait, timeout=timeout, json_=json_)


def result(workflow_id: WorkflowId, *, timeout: Wait = None, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Wait for the end of a workflow, and print its output.

    Exit status 1 if it failed, 4 if it is held, 7 after --timeout.
    """
    with opened(db) as client:
        row = wait_for(client, client.retrieve_workflow(workflow_id), timeout)
    report(row, json_=json_)


def _options(
    what: tuple[str | None, str | None],
    *,
    reject: bool,
    deadline: float | None,
    who: tuple[str | None, Texts],
    attribute: Texts,
) -> WorkflowOptions:
    return {
        "workflow_id": what[0],
        "on_existing_id": "reject" if reject else "attach",
        "timeout": deadline,
        "authenticated_user": who[0],
        "authenticated_roles": who[1] or None,
        "attributes": values.named(attribute, "--attribute") or None,
        "application_version": what[1],
    }


def _begin(
    db: Path, name: str, given: tuple[Texts, Texts], options: WorkflowOptions, *, wait: bool, timeout: float | None,
    json_: bool,
) -> None:  # fmt: skip
    args, kwargs = values.values(given[0]), values.named(given[1], "--arg")
    with opened(db) as client:
        handle = start_named(client, name, args, kwargs, options)
        row = wait_for(client, handle, timeout) if wait else None
        known = row is not None or ask(client, lambda connection: _is_known(db, connection, name))
    if row is not None:
        report(row, json_=json_)
        return
    if json_:
        output.print_json({"workflow_id": handle.workflow_id})
    else:
        typer.echo(handle.workflow_id)
    if not known:
        output.note(f"litewf: no engine that runs now knows {name!r}; it goes on when one does")


def _is_known(db: Path, connection: Reader, name: str) -> bool:
    return any(name in names for names in _names_of_living(db, connection))


def _names_of_living(db: Path, connection: Reader) -> Sequence[list[str]]:
    return [
        json.loads(engine.names)
        for engine in looking.engines(connection)
        if lockfile.probe(db.resolve(), engine.lock_name) is Peer.ALIVE
    ]
