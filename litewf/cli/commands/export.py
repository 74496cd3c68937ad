"""`litewf export`: one run as a document, to replay it elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from litewf.cli import output
from litewf.cli.exits import FILE, REFUSED, Failure
from litewf.cli.files import opened
from litewf.cli.options import DEFAULT_DB, Db, Json, WorkflowId
from litewf.redaction import IsSecret, secrets


def export(
    workflow_id: WorkflowId,
    *,
    redact: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN", help='Replace values by their path: "input.args.0.card", "*.email", "*" for all.'
        ),
    ] = None,
    redact_text: Annotated[bool, typer.Option("--redact-text", help="Replace every text, and no number.")] = False,
    target: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it, instead of printing it.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
    db: Db = DEFAULT_DB,
    json_: Json = False,
) -> None:
    """Print one run with all that it has recorded, as JSON: its input, its steps, its outcome.

    litewf.testing.assert_replays replays it anywhere, without the file. What is redacted keeps its place and its type,
    so the run still replays, unless its code decides by what was replaced. True, False and None are never replaced.
    """
    if target is not None and target.exists() and not overwrite:
        raise Failure(f"{target} exists already; --overwrite replaces it", REFUSED)
    with opened(db) as client:
        history = client.export_workflow(workflow_id, redact=_chosen(redact, redact_text=redact_text))
    if target is None:
        typer.echo(history.to_json(), nl=False)
        return
    try:
        history.save(target)
    except OSError as error:
        raise Failure(f"cannot write {target}: {error.strerror}", FILE) from error
    if json_:
        output.print_json({"file": str(target), "steps": len(history.steps)})
    else:
        steps = len(history.steps)
        output.note(f"{output.counted(steps, 'step')} {'is' if steps == 1 else 'are'} in {target}")


def _chosen(patterns: list[str] | None, *, redact_text: bool) -> IsSecret | None:
    named = secrets(patterns) if patterns else None
    if not redact_text:
        return named
    return lambda path, value: isinstance(value, str) or (named is not None and named(path, value))
