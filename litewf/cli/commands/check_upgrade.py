"""`litewf check-upgrade`: which unfinished workflows a program could go on with, before it is deployed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Annotated

import typer

from litewf.api import upgrades
from litewf.cli import output
from litewf.cli.exits import NO
from litewf.cli.files import check_there
from litewf.cli.options import DEFAULT_DB, Db, Json
from litewf.cli.programs import PARAMETER, registry_of
from litewf.cli.progress import with_bar
from litewf.histories import ReplayCheck

HEADINGS = ("ID", "WORKFLOW", "VERDICT", "STEP", "REASON")
WORDS = {
    "matches": "matches",
    "lacks_patch": "lacks a patch",
    "diverges": "diverges",
    "unknown_workflow": "unknown workflow",
    "undecodable": "cannot be decoded",
    "unclear": "unclear",
}


def check_upgrade(
    program: Annotated[
        str, typer.Argument(metavar=PARAMETER, help="The new program; module alone: the default registry.")
    ],
    *,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Replay every unfinished workflow of a file with a program as it is now; no step runs, nothing is written.

    It works on a copy of the file, so engines may go on meanwhile. Exit status 0 if the program can go on with all of
    them, 1 if not: those would be held, and a patch or the old code has to care for them.
    """
    registry = registry_of(program)
    check_there(db)
    checks: list[ReplayCheck] = []
    with_bar("replaying", lambda: checks.extend(upgrades.check_upgrade(db, registry)), lambda: (len(checks), 0))
    if json_:
        output.print_json([asdict(one) for one in checks])
    else:
        _show(checks)
    if not all(one.matches for one in checks):
        raise typer.Exit(NO)


def _show(checks: list[ReplayCheck]) -> None:
    rows = [(one.workflow_id, one.name, WORDS[one.verdict], one.step, one.reason) for one in _worst_first(checks)]
    output.print_table(HEADINGS, rows, "no workflow is unfinished", whole=True)
    counts = Counter(WORDS[one.verdict] for one in checks)
    if counts:
        output.note(", ".join(f"{counts[word]} {word}" for word in WORDS.values() if counts[word]))
    for advice in dict.fromkeys(_advice(one) for one in checks if one.advice):
        output.note(advice)


def _advice(one: ReplayCheck) -> str:
    place = one.name if one.step is None else f"{one.name}, step {one.step}"
    return f"{place}: {one.advice}"


def _worst_first(checks: Iterable[ReplayCheck]) -> list[ReplayCheck]:
    return sorted(checks, key=lambda one: one.matches)
