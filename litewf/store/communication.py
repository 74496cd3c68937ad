"""What becomes of messages, events, streams and takings when the history of a workflow is copied, cut or emptied."""

from __future__ import annotations

from litewf.store import cloud_events
from litewf.store.operations import Tx

SEALED = "0"  # the step of everything that an earlier generation did
NUMBER = "CAST(step AS INTEGER)"


def copy(tx: Tx, source: int, fork: int, start_step: int) -> None:
    """Give a fork the event and stream values of the steps that it has; CloudEvents that they took stay taken."""
    tx.connection.execute(
        "INSERT INTO event (workflow, name, value, step, set_us)"
        f" SELECT ?, name, value, step, set_us FROM event WHERE workflow = ? AND {NUMBER} < ? ORDER BY key",
        (fork, source, start_step),
    )
    tx.connection.execute(
        "INSERT INTO stream (workflow, name, offset, value, step, attempt, fence, recorded, written_us)"
        " SELECT ?, name, row_number() OVER (PARTITION BY name ORDER BY offset) - 1, value, step, attempt, fence,"
        f" coalesce(recorded, 0), written_us FROM stream WHERE workflow = ? AND {NUMBER} < ? ORDER BY key",
        (fork, source, start_step),
    )
    tx.connection.execute(
        "INSERT INTO taking (workflow, event, step) SELECT ?, event, step FROM taking"
        f" WHERE workflow = ? AND {NUMBER} < ?",
        (fork, source, start_step),
    )


def cut(tx: Tx, workflow: int, start_step: int) -> None:
    """Undo what the steps from `start_step` on did: their messages are unread again, their values are gone."""
    connection = tx.connection
    dropped = (workflow, start_step)
    connection.execute(
        "UPDATE message SET taken_by = NULL WHERE workflow = ? AND CAST(taken_by AS INTEGER) >= ?", dropped
    )
    cloud_events.give_back(tx, workflow, start_step)
    connection.execute(f"DELETE FROM event WHERE workflow = ? AND {NUMBER} >= ?", dropped)
    connection.execute(f"DELETE FROM stream WHERE workflow = ? AND {NUMBER} >= ?", dropped)
    connection.execute("UPDATE stream SET recorded = 0 WHERE workflow = ? AND recorded IS NULL", (workflow,))
    _close_gaps(tx, workflow)


def _close_gaps(tx: Tx, workflow: int) -> None:
    """Steps may have written in another order than they were called: number what is left anew."""
    rows = tx.connection.execute(
        "SELECT key, place FROM (SELECT key, offset, row_number() OVER (PARTITION BY name ORDER BY offset) - 1 AS place"
        " FROM stream WHERE workflow = ?) WHERE place <> offset ORDER BY place",
        (workflow,),
    ).fetchall()
    for key, place in rows:
        tx.connection.execute("UPDATE stream SET offset = ? WHERE key = ?", (place, key))


def seal(tx: Tx, workflow: int) -> None:
    """A new generation begins: what there is stays, and no rewind will undo it; superseded events go."""
    connection = tx.connection
    connection.execute(
        "DELETE FROM message WHERE workflow = ? AND taken_by IS NOT NULL AND idempotency_key IS NULL", (workflow,)
    )
    connection.execute(
        "UPDATE message SET taken_by = ? WHERE workflow = ? AND taken_by IS NOT NULL", (SEALED, workflow)
    )
    connection.execute(
        "DELETE FROM event WHERE workflow = ?1 AND key NOT IN"
        " (SELECT max(key) FROM event WHERE workflow = ?1 GROUP BY name)",
        (workflow,),
    )
    connection.execute("UPDATE stream SET recorded = 0 WHERE workflow = ? AND recorded IS NULL", (workflow,))
    for table in ("event", "stream", "taking"):
        connection.execute(f"UPDATE {table} SET step = ? WHERE workflow = ? AND step <> ?", (SEALED, workflow, SEALED))
