"""`litewf show`: one workflow as a story: what it is, its steps in time, what it waits for, its children."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer

from litewf.cli import documents, output
from litewf.cli.exits import NOT_FOUND, Failure
from litewf.cli.files import looked_at
from litewf.cli.options import DEFAULT_DB, Db, Json, WorkflowId
from litewf.cli.text import as_json
from litewf.serialization.kinds import is_unicode
from litewf.store import looking
from litewf.store.checkpoints import StepRow
from litewf.store.looking import Detail
from litewf.world import World

HEADINGS = ("STEP", "NAME", "AFTER", "TOOK", "TRIES", "RESULT")
WIDEST = 70  # letters of a value
BAR = 24  # letters of the time line
WIDE = 120  # letters of a terminal that has room for it


def show(
    workflow_id: WorkflowId,
    *,
    steps: Annotated[int, typer.Option(min=0, metavar="N", help="How many of the last steps to show.")] = 50,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Show one workflow: its steps in time, retries and errors, what it waits for, its events, its children.

    AFTER is when a step began, counted from the start of the workflow. With --json everything, whole.
    """
    with looked_at(db) as file:
        is_text = is_unicode(workflow_id)  # else no id is like it, and SQLite would not take it
        found = file.read(lambda connection: looking.detail(connection, workflow_id)) if is_text else None
    if found is None:
        raise Failure(f"there is no workflow {workflow_id!r} in {db}", NOT_FOUND)
    if json_:
        output.print_json(documents.detail(found))
        return
    output.print_facts(_facts(found))
    if found.steps:
        typer.echo("")
        _print_steps(found, steps)
    if found.children:
        typer.echo("")
        for line in _tree(documents.tree(found.status.key, found.children)):
            typer.echo(line)


def _facts(found: Detail) -> dict[str, object]:
    row = found.status
    document = documents.workflow(row, found.waits)
    begun_us = row.started_us or row.created_us
    until_us = row.completed_us or World().now_us()
    given = document["input"] or {}
    return {
        "workflow": f"{row.id}  ({row.name})",
        "status": f"{row.status}, held: {row.held}" if row.held else row.status,
        "waits for": _waits(document["waiting_on"]),
        "error": documents.error_line(document["error"]),
        "output": None if row.output is None else value(document["output"]),
        "input": _call(given) if isinstance(given, dict) else value(given),
        "created": output.local_us(row.created_us),
        "took" if row.completed_us else "runs for": output.duration(max(0, until_us - begun_us)),
        "ended": output.local_us(row.completed_us),
        "deadline": output.local_us(row.deadline_us),
        "queue": row.queue,
        "engine": row.executor,
        "version": row.application_version,
        "generation": row.generation if row.generation > 1 else None,
        "recoveries": row.recoveries or None,
        "parent": row.parent_id,
        "forked from": row.forked_from,
        "attributes": value(document["attributes"]) if document["attributes"] else None,
        "events": ", ".join(f"{name}={value(documents.shown(text))}" for name, text in found.events.items()) or None,
        "streams": ", ".join(_stream(end) for end in found.streams) or None,
        "unread": output.counted(found.unread, "message") if found.unread else None,
    }


def _stream(end: looking.StreamEnd) -> str:
    return f"{end.name} ({output.counted(end.values, 'value')}{', closed' if end.closed else ''})"


def _waits(waits: Sequence[Mapping[str, Any]]) -> str | None:
    return ", ".join(f"{wait['what']} (step {wait['step_id']}{_until(wait)})" for wait in waits) or None


def _until(wait: Mapping[str, Any]) -> str:
    return f", until {output.local_iso(wait['until'])}" if wait["until"] else ""


def _call(given: Mapping[str, Any]) -> str | None:
    args, kwargs = given.get("args", []), given.get("kwargs", {})
    return ", ".join([*map(value, args), *(f"{name}={value(one)}" for name, one in kwargs.items())]) or None


def value(found: object) -> str:
    """A value as one line of JSON, cut to a width."""
    return output.shorten(as_json(found), WIDEST)


# --- steps --------------------------------------------------------------------------------------------------------


def _print_steps(found: Detail, most: int) -> None:
    row = found.status
    chosen = found.steps[len(found.steps) - most :] if most < len(found.steps) else found.steps
    if len(chosen) < len(found.steps):
        output.note(f"the last {len(chosen)} of {len(found.steps)} steps; --steps shows more")
    start_us = min(row.started_us or row.created_us, *(step.started_us for step in found.steps))
    end_us = row.completed_us or World().now_us()
    waits = {wait["step_id"]: wait for wait in documents.waiting_on(found.waits)}
    cells = [_cells(step, start_us, waits.get(step.step)) for step in chosen]
    if not output.is_terminal() or output.terminal_width() < WIDE:
        output.print_table(HEADINGS, cells)
        return
    bars = [_bar(step.started_us, step.completed_us or end_us, start_us, end_us) for step in chosen]
    headings = (*HEADINGS[:4], "TIME".ljust(BAR), *HEADINGS[4:])
    output.print_table(headings, [(*row[:4], bar, *row[4:]) for row, bar in zip(cells, bars, strict=True)])


def _cells(step: StepRow, start_us: int, wait: Mapping[str, Any] | None) -> tuple[object, ...]:
    took_us = None if step.completed_us is None else step.completed_us - step.started_us
    return (
        step.step,
        step.name,
        f"+{output.duration(step.started_us - start_us)}",
        output.duration(took_us),
        step.attempts if step.attempts > 1 else "",
        _result(step, wait),
    )


def _result(step: StepRow, wait: Mapping[str, Any] | None) -> str:
    document = documents.step(step)
    if step.completed_us is None:
        failed = documents.error_line(document["failures"][-1]) if document["failures"] else None
        doing = f"waits for {wait['what']}" if wait else "unfinished"
        until = f" until {output.local_us(step.due_us)}" if step.due_us else ""
        return f"{doing}{until}" + (f"; failed with {output.shorten(failed, WIDEST)}" if failed else "")
    if document["error"] is not None:
        return output.shorten(f"! {documents.error_line(document['error'])}", WIDEST)
    if step.child:
        return f"started {step.child}"
    return value(document["output"]) if document["output"] is not None else ""


def _bar(from_us: int, until_us: int, start_us: int, end_us: int) -> str:
    span = max(1, end_us - start_us)
    first = min(BAR - 1, (from_us - start_us) * BAR // span)
    last = max(first + 1, min(BAR, (until_us - start_us) * BAR // span))
    return " " * first + "█" * (last - first) + " " * (BAR - last)


# --- children -----------------------------------------------------------------------------------------------------


def _tree(children: Sequence[Mapping[str, Any]], indent: str = "") -> Iterator[str]:
    for child in children:
        is_last = child is children[-1]
        status = f"{child['status']}, held: {child['held']}" if child["held"] else child["status"]
        yield f"{indent}{'└─' if is_last else '├─'} {child['workflow_id']}  ({child['name']})  {status}"
        yield from _tree(child["children"], indent + ("   " if is_last else "│  "))
