"""`litewf schedules`: workflows that run again and again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from litewf.api.client import Client
from litewf.cli import output
from litewf.cli.files import opened
from litewf.cli.options import DEFAULT_DB, DURATION, MOMENT, MOMENT_HELP, Db, Json, moment, seconds
from litewf.cli.program import group
from litewf.cron import zone_named
from litewf.records import ScheduleInfo

HEADINGS = ("SCHEDULE", "WORKFLOW", "CRON", "ZONE", "NEXT", "LAST", "PAUSED", "DEFINED")
app = group("List, create, pause, trigger, backfill and delete schedules.")

Name = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The name of the schedule.")]


@app.command("list")
def list_(*, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """List the schedules of the file, with their next ticks."""
    with opened(db) as client:
        found = client.list_schedules()
    if json_:
        output.print_json([_document(info) for info in found])
    else:
        output.print_table(HEADINGS, [_row(info) for info in found], "there is no schedule")


@app.command()
def show(name: Name, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Show one schedule with all its settings."""
    with opened(db) as client:
        found = client.get_schedule(name)
    if json_:
        output.print_json(_document(found))
    else:
        facts = _document(found).items()
        output.print_facts({name.replace("_", " "): _readable(value, found.timezone) for name, value in facts})


@app.command()
def create(
    name: Name,
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="Takes the intended and the actual time.")],
    cron: Annotated[str, typer.Argument(metavar="CRON", help="Five fields, or six with the seconds first, quoted.")],
    *,
    timezone: Annotated[str, typer.Option(metavar="ZONE", help="Such as Europe/Berlin.")] = "UTC",
    on_missed: Annotated[
        Literal["skip", "once", "all"], typer.Option(help="Missed ticks: none, the latest, or each of them.")
    ] = "skip",
    catch_up: Annotated[
        Any, typer.Option(parser=seconds, metavar=DURATION, help="How far once and all look back.")
    ] = None,
    overlap: Annotated[
        Literal["allow", "skip", "buffer_one"], typer.Option(help="A tick while the one before has not ended.")
    ] = "allow",
    jitter: Annotated[Any, typer.Option(parser=seconds, metavar=DURATION, help="Put off each start at random.")] = "0",
    queue: Annotated[str | None, typer.Option(metavar="QUEUE", help="Where the ticks wait for their turn.")] = None,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Run a workflow at the times of a cron expression, while an engine runs that knows it.

    A schedule of this name is replaced. Prints when its next tick is, in its zone.
    """

    def change(client: Client) -> None:
        client.create_schedule(
            name, workflow, cron, timezone=timezone, on_missed=on_missed, catch_up=catch_up, overlap=overlap,
            jitter=jitter, queue=queue,
        )  # fmt: skip

    _change(db, name, change, json_=json_)


@app.command()
def pause(name: Name, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Let no tick run from now on; those that have begun go on."""
    _change(db, name, lambda client: client.pause_schedule(name), json_=json_)


@app.command()
def resume(name: Name, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Go on with the next tick from now."""
    _change(db, name, lambda client: client.resume_schedule(name), json_=json_)


@app.command()
def trigger(name: Name, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Start its workflow now, beside its ticks; prints the workflow's id."""
    with opened(db) as client:
        handle = client.trigger_schedule(name)
    output.print_ids([handle.workflow_id], json_=json_)


@app.command()
def backfill(
    name: Name,
    start: Annotated[Any, typer.Argument(parser=moment, metavar="FROM", help=f"A time {MOMENT_HELP}.")],
    end: Annotated[Any, typer.Argument(parser=moment, metavar=MOMENT, help="A time; ticks before it.")],
    *,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Start every tick of a time span that has not run; prints the ids of the workflows."""
    with opened(db) as client:
        handles = client.backfill_schedule(name, start, end)
    output.print_ids([handle.workflow_id for handle in handles], json_=json_)


@app.command()
def delete(name: Name, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Forget a schedule; the workflows that it has started stay."""
    with opened(db) as client:
        client.delete_schedule(name)
    output.print_id("name", name, json_=json_)


def _document(info: ScheduleInfo) -> dict[str, object]:
    return {field.name: getattr(info, field.name) for field in fields(info)}


def _there(moment: datetime | None, zone: str) -> str | None:
    """A time as people in the zone of a schedule read it, with the zone: it need not be that of whoever asks."""
    try:
        return None if moment is None else f"{moment.astimezone(zone_named(zone)):%Y-%m-%d %H:%M:%S} {zone}"
    except (ValueError, OverflowError):  # a zone that this machine does not know, the end of the calendar
        return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _beside(moment: datetime | None, zone: str) -> str | None:
    """The same, where the zone stands in the same row."""
    return there.removesuffix(f" {zone}") if (there := _there(moment, zone)) else None


def _readable(value: object, zone: str) -> object:
    if isinstance(value, datetime):
        return _there(value, zone)
    return output.duration(value // timedelta(microseconds=1)) if isinstance(value, timedelta) else value


def _row(info: ScheduleInfo) -> tuple[object, ...]:
    return (
        info.name, info.workflow, info.cron, info.timezone, _beside(info.next_at, info.timezone) or "never",
        _beside(info.last_at, info.timezone), info.paused, "in code" if info.in_code else "in the file",
    )  # fmt: skip


def _change(db: Path, name: str, change: Callable[[Client], None], *, json_: bool) -> None:
    """Change a schedule, and say what it is then."""
    with opened(db) as client:
        change(client)
        info = client.get_schedule(name)
    if json_:
        output.print_json(_document(info))
    elif info.paused:
        typer.echo(f"{info.name}: paused")
    else:
        typer.echo(f"{info.name}: next {_there(info.next_at, info.timezone) or 'never'}")
