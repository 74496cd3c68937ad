"""`litewf start`, `enqueue` and `result`: put workflows to work by their names, and get what comes of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer

from litewf.api.named import WorkflowName
from litewf.api.outside import ask
from litewf.api.workflow import WorkflowOptions
from litewf.cli import output, values
from litewf.cli.files import opened
from litewf.cli.options import DEFAULT_DB, DURATION, DURATION_HELP, Db, Json, Wait, WorkflowId, seconds
from litewf.cli.outcomes import report, wait_for
from litewf.cli.program import taking
from litewf.store import lockfile, looking
from litewf.store.lockfile import Peer
from litewf.store.readers import Reader

Texts = list[str] | None
Name = Annotated[str, typer.Argument(metavar="WORKFLOW", help="The name under which a program has the workflow.")]
Arguments = Annotated[Texts, typer.Argument(metavar="[VALUE]...", help=f"Its arguments: {values.HELP}.")]
Keywords = Annotated[Texts, typer.Option("--arg", metavar="NAME=VALUE", help="An argument by its name; repeatable.")]
Instance = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Of a method: the object's name, as of registry.instance.")
]


class Ending(NamedTuple):
    """Whether to wait for the end of a workflow, for how long, and how to tell."""

    wait: bool
    timeout_s: float | None
    json: bool


def start_options(
    *,
    id_: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="Its id; starting it twice is then harmless.")
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Refuse if the id exists; without, attach to it.")] = False,
    deadline: Annotated[
        Any, typer.Option(parser=seconds, metavar=DURATION, help="Cancel it if it takes longer.")
    ] = None,
    user: Annotated[str | None, typer.Option(metavar="TEXT", help="The authenticated user.")] = None,
    role: Annotated[Texts, typer.Option(metavar="TEXT", help="An authenticated role; repeatable.")] = None,
    attribute: Annotated[Texts, typer.Option(metavar="NAME=VALUE", help="To search by; repeatable.")] = None,
    version: Annotated[str | None, typer.Option(metavar="TEXT", help="Only engines of this version run it.")] = None,
) -> WorkflowOptions:
    """What every start may say."""
    return {
        "workflow_id": id_,
        "on_existing_id": "reject" if reject else "attach",
        "timeout": deadline,
        "authenticated_user": user,
        "authenticated_roles": role or None,
        "attributes": values.named(attribute, "--attribute") or None,
        "application_version": version,
    }


def queue_options(
    *,
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
) -> WorkflowOptions:
    """What a start on a queue may say beside that."""
    return {
        "priority": priority, "deduplication_id": deduplication_id, "on_duplicate": on_duplicate,
        "partition_key": partition_key, "delay": delay,
    }  # fmt: skip


def ending(
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end, and print its output.")] = False,
    timeout: Wait = None,
    json_: Json = False,
) -> Ending:
    """What is printed of it."""
    if timeout is not None and not wait:
        raise typer.BadParameter("it says how long to --wait; give that, too", param_hint="--timeout")
    return Ending(wait, timeout, json_)


@taking(options=start_options, then=ending)
def start(
    name: Name,
    arguments: Arguments = None,
    *,
    arg: Keywords = None,
    instance: Instance = None,
    options: WorkflowOptions,
    db: Db = DEFAULT_DB,
    then: Ending,
) -> None:
    """Start a workflow; an engine that knows it takes it up at once, or as soon as one runs.

    Prints its id, or with --wait its output: exit status 1 if it fails, 4 if it is held, 7 after --timeout.
    What begins with a dash goes after --, as in: litewf start add -- -1 2
    """
    _begin(db, (name, instance), options, (arguments, arg), then)


@taking(options=start_options, of_queue=queue_options, then=ending)
def enqueue(
    queue: Annotated[str, typer.Argument(metavar="QUEUE", help="The queue; it need not have limits.")],
    name: Name,
    arguments: Arguments = None,
    *,
    arg: Keywords = None,
    instance: Instance = None,
    options: WorkflowOptions,
    of_queue: WorkflowOptions,
    db: Db = DEFAULT_DB,
    then: Ending,
) -> None:
    """Put a workflow on a queue; it starts when the queue's limits allow it.

    Prints its id, or with --wait its output, with the exit status as of start.
    """
    options |= of_queue
    options["queue"] = queue
    _begin(db, (name, instance), options, (arguments, arg), then)


def result(workflow_id: WorkflowId, *, timeout: Wait = None, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Wait for the end of a workflow, and print its output.

    Exit status 1 if it failed, 4 if it is held, 7 after --timeout.
    """
    with opened(db) as client:
        row = wait_for(client, client.retrieve_workflow(workflow_id), timeout)
    report(row, json_=json_)


def _begin(
    db: Path, what: tuple[str, str | None], options: WorkflowOptions, given: tuple[Texts, Texts], then: Ending
) -> None:
    name, instance = what
    args, kwargs = values.values(given[0]), values.named(given[1], "--arg")
    with opened(db) as client:
        workflow = WorkflowName(name, instance=instance).with_options(**options)
        handle = client.start_workflow(workflow, *args, **kwargs)
        row = wait_for(client, handle, then.timeout_s) if then.wait else None
        known = [name] if row is not None else ask(client, lambda connection: _known_names(db, connection))
    if row is not None:
        report(row, json_=then.json)
        return
    output.print_id("workflow_id", handle.workflow_id, json_=then.json)
    if name not in known:
        output.note(f"litewf: no engine that runs now knows {name!r}{_meant(name, known)}; it goes on when one does")


def _known_names(db: Path, connection: Reader) -> Sequence[str]:
    return [
        name
        for engine in looking.engines(connection)
        if lockfile.probe(db.resolve(), engine.lock_name) is Peer.ALIVE
        for name in json.loads(engine.names)
    ]


def _meant(name: str, known: Sequence[str]) -> str:
    """The name that was mistyped, if there is one like it."""
    from difflib import get_close_matches  # noqa: PLC0415 - for a mistake only

    found = get_close_matches(name, known, 1)
    return f" (is it {found[0]!r}?)" if found else ""
