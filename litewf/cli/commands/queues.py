"""`litewf queues`: the limits of queues, and what stands on them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from litewf.api.outside import ask
from litewf.api.queues import QueueLimits
from litewf.cli import output
from litewf.cli.program import group
from litewf.cli.files import opened
from litewf.cli.options import DEFAULT_DB, DURATION_HELP, Db, Json, seconds
from litewf.records import QueueInfo, RateLimit
from litewf.store import looking

LIFT = "none"  # on the command line: no limit from now on
HEADINGS = ("QUEUE", "WAITING", "RUNNING", "DELAYED", "GLOBAL", "WORKER", "PARTITION", "RATE", "PRIORITIES", "PAUSED")
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
Global = Annotated[Any, typer.Option(parser=_limit, metavar="N", help="How many run at once, in all processes.")]
Worker = Annotated[Any, typer.Option(parser=_limit, metavar="N", help="How many run at once in each engine.")]
Partition = Annotated[Any, typer.Option(parser=_limit, metavar="N", help="How many run at once for each key.")]
Rate = Annotated[
    Any, typer.Option(parser=_rate, metavar="N/DURATION", help=f"How many start in any period: 10/1m; {DURATION_HELP}.")
]
Batch = Annotated[Any, typer.Option(parser=_limit, metavar="N", help="How many one look at the queue starts.")]
Priorities = Annotated[bool | None, typer.Option("--priorities/--no-priorities", help="Whether priorities count.")]


@app.command("list")
def list_(*, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """List the queues that have limits or work, with how much waits and runs."""
    with opened(db) as client:
        limits = {info.name: info for info in client.list_queues()}
        states = ask(client, looking.queue_states)
    rows = [_document(name, limits.get(name), states.get(name)) for name in sorted(limits.keys() | states.keys())]
    if json_:
        output.print_json(rows)
    else:
        output.print_table(HEADINGS, [tuple(row.values()) for row in rows], "there is no queue with limits or work")


@app.command()
def create(
    name: Name,
    *,
    global_concurrency: Global = None,
    worker_concurrency: Worker = None,
    partition_concurrency: Partition = None,
    rate: Rate = None,
    batch: Batch = None,
    priorities: Priorities = None,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Give a queue limits, in the file, from now on. A program that defines it writes its own at each start."""
    limits = _limits(global_concurrency, worker_concurrency, partition_concurrency, rate, batch, priorities)
    with opened(db) as client:
        client.create_queue(name, **limits)
    _said(name, json_=json_)


@app.command()
def update(
    name: Name,
    *,
    global_concurrency: Global = None,
    worker_concurrency: Worker = None,
    partition_concurrency: Partition = None,
    rate: Rate = None,
    batch: Batch = None,
    priorities: Priorities = None,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Change some limits of a queue, at once; the word none lifts one, what is not given stays."""
    limits = _limits(global_concurrency, worker_concurrency, partition_concurrency, rate, batch, priorities)
    with opened(db) as client:
        client.update_queue(name, **limits)
    _said(name, json_=json_)


@app.command()
def pause(name: Name, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Start nothing more from a queue; what was started goes on."""
    with opened(db) as client:
        client.pause_queue(name)
    _said(name, json_=json_)


@app.command()
def resume(name: Name, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Start from a paused queue again."""
    with opened(db) as client:
        client.resume_queue(name)
    _said(name, json_=json_)


@app.command()
def delete(name: Name, *, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """Forget a queue's limits; what is on it stays, and starts without limits."""
    with opened(db) as client:
        client.delete_queue(name)
    _said(name, json_=json_)


def _limits(global_: Any, worker: Any, partition: Any, rate: Any, batch: Any, priorities: bool | None) -> QueueLimits:
    given = {
        "global_concurrency": global_,
        "worker_concurrency": worker,
        "partition_concurrency": partition,
        "rate_limit": rate,
        "max_tasks_per_iteration": batch,
    }
    limits: Any = {name: None if value == LIFT else value for name, value in given.items() if value is not None}
    if priorities is not None:
        limits["priority_enabled"] = priorities
    found: QueueLimits = limits
    return found


def _document(name: str, info: QueueInfo | None, state: looking.QueueState | None) -> dict[str, object]:
    rate = None if info is None or info.rate_limit is None else info.rate_limit
    return {
        "name": name,
        "waiting": state.waiting if state else 0,
        "running": state.started if state else 0,
        "delayed": state.delayed if state else 0,
        "global_concurrency": info and info.global_concurrency,
        "worker_concurrency": info and info.worker_concurrency,
        "partition_concurrency": info and info.partition_concurrency,
        "rate_limit": None if rate is None else f"{rate.limit}/{rate.period_us / 1_000_000:g}s",
        "priority_enabled": info is not None and info.priority_enabled,
        "paused": info is not None and info.paused,
    }


def _said(name: str, *, json_: bool) -> None:
    if json_:
        output.print_json({"name": name})
    else:
        typer.echo(name)
