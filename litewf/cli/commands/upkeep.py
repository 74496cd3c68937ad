"""`litewf backup` and `litewf prune`: care for the file while everything goes on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from litewf.api.outside import ask
from litewf.cli import output
from litewf.cli.exits import REFUSED, Failure
from litewf.cli.files import opened
from litewf.cli.options import DEFAULT_DB, DURATION, DURATION_HELP, Db, Json, seconds
from litewf.cli.progress import with_bar
from litewf.store import looking


def backup(
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="The file to write; it must not exist.")],
    *,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Copy the file as it is now, complete in itself, while everything goes on.

    What ran is ready to be taken up in the copy. To restore, put the copy in the place of the file while nothing runs.
    """
    if target.exists():
        raise Failure(f"{target} exists already; a backup never overwrites", REFUSED)
    part = target.with_name(f"{target.name}.part")

    def done() -> tuple[float, float]:
        return (part.stat().st_size if part.exists() else 0, db.stat().st_size)

    with opened(db) as client:
        written = with_bar("copying", lambda: client.backup(target), done)
    size = written.stat().st_size
    if json_:
        output.print_json({"path": str(written), "bytes": size})
    else:
        typer.echo(f"{written} ({output.size(size)})")


def prune(
    *,
    older_than: Annotated[
        Any, typer.Option(parser=seconds, metavar=DURATION, help=f"Since they ended: {DURATION_HELP}.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what is old enough.")] = False,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Delete workflows that ended long ago, in small batches that hold up nobody; prints how many.

    Those whose parent has not ended stay. The room is used again; an engine with retention also gives it back.
    """
    before_us = time.time_ns() // 1000 - round(older_than * 1_000_000)
    with opened(db) as client:
        old = ask(client, lambda connection: looking.ended_before(connection, before_us))

        def done() -> tuple[float, float]:
            return old - ask(client, lambda connection: looking.ended_before(connection, before_us)), old

        deleted = old if dry_run else with_bar("deleting", lambda: client.prune(older_than=older_than), done)
    if json_:
        output.print_json({"old_enough" if dry_run else "deleted": deleted})
    else:
        typer.echo(f"{deleted} {'are old enough' if dry_run else 'deleted'}")
