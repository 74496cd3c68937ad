"""`litewf queues`: the limits of queues, and what stands on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from litewf.api.client import Client
from litewf.api.outside import ask
from litewf.api.queues import QueueLimits
from litewf.cli import output
from litewf.cli.files import opened
from litewf.cli.options import DEFAULT_DB, DURATION_HELP, Db, Json, seconds
from litewf.cli.program import group, taking
from litewf.engine.queues import not_found
from litewf.records import QueueInfo, RateLimit
from litewf.store import looking

LIFT = "none"  # on the command line: no limit from now on
UNLIMITED = QueueInfo("", None, None, None, priority_enabled=False, partition_concurrency=None,
                      max_tasks_per_iteration=None, paused=False)  # fmt: skip
TABLE = {
    "name": "QUEUE", "waiting": "WAITING", "running": "RUNNING", "delayed": "DELAYED", "global_concurrency": "GLOBAL",
    "worker_concurrency": "WORKER", "partition_concurrency": "PARTITION", "rate_limit": "RATE",
    "priority_enabled": "PRIORITIES", "paused": "PAUSED",
}  # fmt: skip
app = group("List, create, change, pause and delete queues.")


def _limit(text: str) -> int | str:
    if text == LIFT:
        return LIFT
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no whole number, and not {LIFT!r}, which lifts the limit") from None


def _rate(text: str) -> RateLimit | str:
    if text == LIFT:
        return LIFT
    limit, slash, period = text.partition("/")
    if not slash or not limit.isdecimal():
        raise typer.BadParameter(f"{text!r} is no rate; write 10/60s for 10 starts in any minute, or {LIFT!r}")
    return RateLimit(int(limit), seconds(period))


Name = Annotated[str, typer.Argument(metavar="QUEUE", help="The name of the queue.")]


def _number(help: str) -> Any:
    return typer.Option(parser=_limit, metavar="N", help=help)


def limits_of(
    *,
    global_concurrency: Annotated[Any, _number("How many run at once, in all processes.")] = None,
    worker_concurrency: Annotated[Any, _number("How many run at once in each engine.")] = None,
    partition_concurrency: Annotated[Any, _number("How many run at once for each key.")] = None,
    rate: Annotated[
        Any,
        typer.Option(parser=_rate, metavar="N/DURATION", help=f"How many start in any period: 10/1m; {DURATION_HELP}."),
    ] = None,
    batch: Annotated[Any, _number("How many one look at the queue starts.")] = None,
    priorities: Annotated[
        bool | None, typer.Option("--priorities/--no-priorities", help="Whether priorities count.")
    ] = None,
) -> QueueLimits:
    """The limits that are given; the others stay as they are."""
    given = {
        "global_concurrency": global_concurrency,
        "worker_concurrency": worker_concurrency,
        "partition_concurrency": partition_concurrency,
        "rate_limit": rate,
        "max_tasks_per_iteration": batch,
        "priority_enabled": priorities,
    }
    limits: Any = {name: None if value == LIFT else value for name, value in given.items() if value is not None}
    found: QueueLimits = limits
    return found


@app.command("list")
def list_(*, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """List the queues that have limits or work, with how much waits and runs."""
    with opened(db) as client:
        limits, states = _known(client)
    found = [_document(name, limits.get(name), states.get(name)) for name in sorted(limits.keys() | states.keys())]
    if json_:
        output.print_json(found)
    else:
        output.print_table(list(TABLE.values()), [_row(one) for one in found], "there is no queue with limits or work")


@app.command()
@taking(limits=limits_of)
def create(name: Name, *, limits: QueueLimits, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Give a queue limits, in the file, from now on. A program that defines it writes its own at each start."""
    _change(db, name, lambda client: client.create_queue(name, **limits), json_=json_)


@app.command()
@taking(limits=limits_of)
def update(name: Name, *, limits: QueueLimits, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Change some limits of a queue, at once; the word none lifts one, what is not given stays."""
    if not limits:
        raise typer.BadParameter("give at least one limit to change")
    _change(db, name, lambda client: client.update_queue(name, **limits), json_=json_)


@app.command()
def pause(name: Name, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Start nothing more from a queue; what was started goes on."""

    def change(client: Client) -> None:
        if not any(name in found for found in _known(client)):  # a pause would make one, most likely by a slip
            raise not_found(name)
        client.pause_queue(name)

    _change(db, name, change, json_=json_)


@app.command()
def resume(name: Name, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Start from a paused queue again."""
    _change(db, name, lambda client: client.resume_queue(name), json_=json_)


@app.command()
def delete(name: Name, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Forget a queue's limits; what is on it stays, and starts without limits."""
    _change(db, name, lambda client: client.delete_queue(name), json_=json_)


def _known(client: Client) -> tuple[dict[str, QueueInfo], Mapping[str, looking.QueueState]]:
    """The queues that have limits, and those that have work."""
    return {info.name: info for info in client.list_queues()}, ask(client, looking.queue_states)


def _change(db: Path, name: str, change: Callable[[Client], None], *, json_: bool) -> None:
    with opened(db) as client:
        change(client)
    output.print_id("name", name, json_=json_)


def _document(name: str, info: QueueInfo | None, state: looking.QueueState | None) -> dict[str, object]:
    known, counts = info or UNLIMITED, state or looking.QueueState(name, 0, 0, 0)
    rate = known.rate_limit
    return {
        "name": name,
        "waiting": counts.waiting,
        "running": counts.started,
        "delayed": counts.delayed,
        "global_concurrency": known.global_concurrency,
        "worker_concurrency": known.worker_concurrency,
        "partition_concurrency": known.partition_concurrency,
        "rate_limit": None if rate is None else {"limit": rate.limit, "period": rate.period_us / 1_000_000},
        "max_tasks_per_iteration": known.max_tasks_per_iteration,
        "priority_enabled": known.priority_enabled,
        "paused": known.paused,
    }


def _row(document: Mapping[str, Any]) -> tuple[object, ...]:
    rate = document["rate_limit"]
    return tuple(
        f"{rate['limit']}/{rate['period']:g}s" if name == "rate_limit" and rate else document[name] for name in TABLE
    )
