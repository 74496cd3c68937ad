"""Exports: one run with all that it has recorded, as of one moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

from litewf.engine.results import given_id, not_found
from litewf.histories import History, RecordedStep, RecordedWait
from litewf.redaction import IsSecret, redacted
from litewf.store import checkpoints, reading
from litewf.store.checkpoints import StepRow, number_order
from litewf.store.readers import Reader, damaged, snapshot
from litewf.store.reading import Page, StatusRow, Where
from litewf.store.waits import Awaited

BATCH = 100  # workflows that are read at once


def export(workflow_id: str, is_secret: IsSecret | None) -> Callable[[Reader], History]:
    """The history of one workflow, with other values in the place of secret ones."""
    given_id(workflow_id)

    def look(connection: Reader) -> History:
        with snapshot(connection):
            found = reading.status_of(connection, workflow_id)
            if found is None:
                raise not_found(workflow_id)
            [history] = _histories(connection, [found])
        return history if is_secret is None else redacted(history, is_secret)

    return look


def unfinished(after_key: int) -> Callable[[Reader], tuple[list[History], int]]:
    """Some histories of workflows that have not ended, in the order of their creation; and the key of the last."""

    def look(connection: Reader) -> tuple[list[History], int]:
        where = Where()
        where.add("w.completed_us IS NULL AND w.key > ?", after_key)
        with snapshot(connection):
            rows = reading.list_workflows(connection, where, Page(BATCH))
            return _histories(connection, rows), rows[-1].key if rows else after_key

    return look


def _histories(connection: Reader, rows: list[StatusRow]) -> list[History]:
    keys = [row.key for row in rows]
    steps = checkpoints.steps_of(connection, keys)
    waits = reading.waits_of(connection, keys)
    return [_history(row, steps[row.key].values(), waits.get(row.key, ())) for row in rows]


def _history(row: StatusRow, steps: Iterable[StepRow], waits: Iterable[Awaited]) -> History:
    with damaged(f"workflow {row.id!r}, or of a step of it,"):
        return History(
            workflow_id=row.id,
            name=row.name,
            status=row.status,
            held=row.held,
            application_version=row.application_version,
            generation=row.generation,
            user=row.authenticated_user,
            roles=tuple(json.loads(row.authenticated_roles or "[]")),
            created_us=row.created_us,
            updated_us=row.updated_us,
            deadline_us=row.deadline_us,
            input=row.input or "null",
            output=row.output,
            error=row.error,
            steps=tuple(RecordedStep(*step[1:]) for step in sorted(steps, key=lambda step: number_order(step.step))),
            waits=tuple(RecordedWait(*wait[:4]) for wait in waits),
        )
