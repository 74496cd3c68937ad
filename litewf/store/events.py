"""The values that workflows show under a name; the latest counts."""

from __future__ import annotations

import apsw

from litewf.store.operations import Tx
from litewf.store.waits import announce, event_key


def put(tx: Tx, workflow: int, workflow_id: str, name: str, value: str, step: str, now_us: int) -> None:
    """Show a value from now on."""
    tx.connection.execute(
        "INSERT INTO event (workflow, name, value, step, set_us) VALUES (?, ?, ?, ?, ?)",
        (workflow, name, value, step, now_us),
    )
    announce(tx, event_key(workflow_id, name))


def latest(connection: apsw.Connection, workflow: int, name: str) -> str | None:
    row = connection.execute(
        "SELECT value FROM event WHERE workflow = ? AND name = ? ORDER BY key DESC LIMIT 1", (workflow, name)
    ).fetchone()
    return None if row is None else row[0]


def all_latest(connection: apsw.Connection, workflow: int) -> dict[str, str]:
    """Every name with its latest value, in the order in which the names first appeared."""
    rows = connection.execute("SELECT name, value FROM event WHERE workflow = ? ORDER BY key", (workflow,))
    return {row[0]: row[1] for row in rows}
