"""`litewf doctor`: what is wrong with a file or stuck in it, and what to do about each; it changes nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from litewf.cli import checkups, exits, output
from litewf.cli.checkups import Check, Finding, Patient
from litewf.cli.files import check_there
from litewf.cli.options import DEFAULT_DB, Db, Json
from litewf.errors import StoreCorruptError
from litewf.store.inspection import Inspection
from litewf.world import World

SINCE = 4  # the schema that has all tables which the questions are about


def doctor(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what reads the whole file.")] = False,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Say what is wrong with the file, or stuck in it, and what to do about each; changes nothing.

    Looks for damage, for broken rules between the rows, for workflows that are held, stranded or overdue, for engines
    that died, and at who holds which lock. Exit status 1 if there is a problem; a notice is none.
    """
    check_there(db)
    findings = _examine(db, quick=quick)
    healthy = all(finding.level != "problem" for finding in findings)
    if json_:
        output.print_json({"healthy": healthy, "findings": [finding._asdict() for finding in findings]})
    else:
        _print(findings)
    raise typer.Exit(exits.DONE if healthy else exits.NO)


def _examine(db: Db, *, quick: bool) -> list[Finding]:
    with Inspection(db) as file:
        try:
            patient = Patient(file, World().now_us())
        except StoreCorruptError as error:
            return [Finding("problem", "file", str(error), checkups.RESTORE)]
        checks: Sequence[Check] = checkups.ALWAYS_READABLE
        if patient.version:
            checks = (*checks, *(() if quick else checkups.SLOW))
        if patient.version >= SINCE:
            checks = (*checks, *checkups.QUICK)
        return [finding for check in _with_bar(checks) for finding in checkups.examine(patient, check)]


def _with_bar(checks: Sequence[Check]) -> Iterator[Check]:
    """The checks one by one, with a line on the error stream that says which runs, if a person looks at it."""
    with _status() as say:
        for check in checks:
            say(f"checking: {checkups.name_of(check)}")
            yield check


@contextmanager
def _status() -> Iterator[Callable[[str], object]]:
    if not sys.stderr.isatty():
        yield lambda _line: None
        return
    from rich.console import Console  # noqa: PLC0415 - only for people

    with Console(stderr=True).status("checking") as status:
        yield status.update


def _print(findings: Sequence[Finding]) -> None:
    rows = [(finding.level, finding.check, finding.what) for finding in findings]
    output.print_table(("", "CHECK", "FOUND"), rows, whole=True)
    advised = [finding for finding in findings if finding.advice]
    if advised:
        output.print_gap()
        for finding in advised:
            typer.echo(f"{finding.check}: {finding.what}")
            typer.echo(f"  -> {finding.advice}")
