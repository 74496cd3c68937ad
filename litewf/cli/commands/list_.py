"""`litewf list`: which workflows there are, by every filter that the library knows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, cast

import typer

from litewf.cli import documents, output, values
from litewf.cli.files import looked_at, usage_errors
from litewf.cli.options import DEFAULT_DB, DURATION, MOMENT, Db, Json, moment, seconds
from litewf.cli.program import taking
from litewf.engine.filters import conditions, page_of
from litewf.records import Status, WorkflowFilter
from litewf.store import looking, reading
from litewf.store.inspection import Inspection
from litewf.store.reading import Page, StatusRow, Where
from litewf.store.waits import Awaited
from litewf.world import World

Texts = list[str] | None
HEADINGS = ("ID", "NAME", "STATUS", "CREATED", "TOOK", "ABOUT")
WIDEST = 100  # letters of the last column
Found = list[tuple[StatusRow, Sequence[Awaited]]]


def _time(help: str) -> Any:
    return typer.Option(parser=moment, metavar=MOMENT, help=help)


def _text(help: str, metavar: str = "TEXT") -> Any:
    return typer.Option(metavar=metavar, help=help)


def filter_of(
    *,
    status: Annotated[Texts, _text("Such as SUCCESS or error; may be repeated, as may --name.")] = None,
    held: Annotated[bool | None, typer.Option("--held/--not-held", help="Only held ones, or none of them.")] = None,
    name: Annotated[Texts, _text("Of the workflow's function.")] = None,
    prefix: Annotated[str | None, _text("What the id begins with.")] = None,
    since: Annotated[Any, _time("Created at or after: a time, or 2h for the last two hours.")] = None,
    until: Annotated[Any, _time("Created before.")] = None,
    completed_after: Annotated[Any, _time("Ended at or after.")] = None,
    completed_before: Annotated[Any, _time("Ended before.")] = None,
    queue: Annotated[Texts, _text("That it is or was on.")] = None,
    queues_only: Annotated[bool, typer.Option("--queues-only", help="Only those that are or were on a queue.")] = False,
    deduplication_id: Annotated[str | None, _text("As given at its enqueue.")] = None,
    parent: Annotated[str | None, _text("The id of the workflow that started it.")] = None,
    forked_from: Annotated[str | None, _text("The id of the workflow that it is a fork of.")] = None,
    attribute: Annotated[Texts, _text("May be repeated; all must match.", "NAME=VALUE")] = None,
    user: Annotated[str | None, _text("The authenticated user.")] = None,
    version: Annotated[str | None, _text("The application version.")] = None,
    executor: Annotated[str | None, _text("The engine that has it in memory.")] = None,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="How many at most.")] = 20,
    offset: Annotated[int, typer.Option(min=0, metavar="N", help="How many to pass over first.")] = 0,
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="In the order of their creation.")] = False,
) -> WorkflowFilter:
    """Which workflows are meant."""
    return WorkflowFilter(
        status=_statuses(status), held=held, name=name or None, workflow_id_prefix=prefix, start_time=since,
        end_time=until, completed_after=completed_after, completed_before=completed_before, queue_name=queue or None,
        queues_only=queues_only, deduplication_id=deduplication_id, parent_id=parent, forked_from=forked_from,
        user=user, attributes=values.named(attribute, "--attribute") or None, application_version=version,
        executor_id=executor, limit=limit, offset=offset, sort_desc=not oldest_first,
    )  # fmt: skip


@taking(wanted=filter_of)
def list_(
    *,
    wanted: WorkflowFilter,
    watch: Annotated[bool, typer.Option("--watch", help="Go on, and show each change.")] = False,
    interval: Annotated[
        Any, typer.Option(parser=seconds, metavar=DURATION, help="How often to look; each second, unless given.")
    ] = None,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """List workflows, the newest first.

    ABOUT is why it is held or failed, what it waits for, or its queue. Without filters, and by a --prefix or --parent
    that few have, the answer is there at once, however many there are; other filters look through them, half a second
    for a million.
    """
    if interval is not None and not watch:
        raise typer.BadParameter("it says how often to --watch; give that, too", param_hint="--interval")
    with usage_errors():
        where, page = conditions(wanted), page_of(replace(wanted, load_input=json_, load_output=json_))
    with looked_at(db) as file:
        if watch:
            _watch(file, where, page, 1.0 if interval is None else interval, json_=json_)
        else:
            _show(file.read(lambda connection: _find(connection, where, page)), json_=json_)


def _statuses(names: Texts) -> list[Status] | None:
    return cast("list[Status]", [name.upper() for name in names]) if names else None  # checked with the filter


def _find(connection: Any, where: Where, page: Page) -> Found:
    rows = reading.list_workflows(connection, where, page)
    waits = reading.waits_of(connection, [row.key for row in rows if row.phase == "parked"])
    return [(row, waits.get(row.key, ())) for row in rows]


def _show(found: Found, *, json_: bool) -> None:
    if json_:
        output.print_json([documents.workflow(row, waits) for row, waits in found])
    else:
        output.print_table(HEADINGS, [_row(row, waits) for row, waits in found], "no workflow matches")


def _watch(file: Inspection, where: Where, page: Page, interval: float, *, json_: bool) -> None:
    """Show the list again whenever somebody has committed; on a terminal in the same place, and how long it takes."""

    def look(connection: Any) -> tuple[int, Found]:
        return looking.data_version(connection), _find(connection, where, page)

    before = None
    while True:
        seen, found = file.read(look)
        if seen != before or (output.is_terminal() and not json_):
            before = seen
            if json_:
                output.print_json_line([documents.workflow(row, waits) for row, waits in found])
            else:
                output.clear()
                _show(found, json_=False)
                output.flush()
        time.sleep(interval)


def _row(row: StatusRow, waits: Sequence[Awaited]) -> tuple[object, ...]:
    begun_us = row.started_us or row.created_us
    until_us = row.completed_us or World().now_us()
    return (
        row.id,
        row.name,
        "HELD" if row.held else row.status,
        output.local_us(row.created_us),
        output.duration(max(0, until_us - begun_us)),
        output.shorten(about(row, waits) or "", WIDEST),
    )


def about(row: StatusRow, waits: Sequence[Awaited]) -> str | None:
    """The one thing that is most worth knowing of a workflow beside its status."""
    if row.held or row.error is not None:
        return row.held or documents.error_line(documents.error_shown(row.error))
    if row.completed_us is not None:
        return None
    if waiting := documents.waiting_on(waits):
        first = waiting[0]
        until = f" until {output.local_iso(first['until'])}" if first["until"] else ""
        return f"waits for {first['what']}{until}"
    if row.phase is None:
        return f"on queue {row.queue}"
    return f"runs in {row.executor}" if row.executor else "ready for an engine that knows it"
