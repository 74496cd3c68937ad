"""`litewf demo`: a checkout whose process is killed, watched live."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from litewf.cli.demo import ending, stage
from litewf.cli.demo.screen import open_screen


def demo(
    db: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The file to create; by default in a new temporary directory.")
    ] = None,
) -> None:
    """Watch a checkout survive SIGKILL, twice.

    Exit status 0 only if the result is right and no step ran twice. The file is kept.
    """
    place = stage.Place(_new_file(db))
    with open_screen(place.db) as screen:
        story = stage.perform(place, screen)
    proof = stage.gather_proof(place, story)
    problems = ending.problems(proof)
    screen.end(proof, problems)
    if problems:
        raise typer.Exit(1)


def _new_file(db: Path | None) -> Path:
    if db is None:
        return Path(tempfile.mkdtemp(prefix="litewf-demo-")) / "demo.db"
    if not db.parent.is_dir():
        raise typer.BadParameter(f"there is no directory {db.parent}", param_hint="--db")
    for path in (db, stage.Place(db).ledger):
        if path.exists():
            raise typer.BadParameter(f"{path} exists; the demo wants a new file", param_hint="--db")
    return db.absolute()
