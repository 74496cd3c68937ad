"""CloudEvents from anywhere: accepted once by (source, id), kept for a while, taken by the waits that match."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import apsw

from litewf.matching import conditions_met
from litewf.store.operations import Tx
from litewf.store.waits import PART, wake
from litewf.store.wide import texts

Matcher = Callable[["CloudEventRow"], bool]  # filters on the data, which SQL does not read
NEVER = 1 << 62  # beyond every key
SWEEP = 50  # old events deleted with each new one


class NewCloudEvent(NamedTuple):
    """An event on its way; `keys` are those of the waits that it may end."""

    source: str
    id: str
    type: str
    subject: str | None
    attributes: str
    data: str
    keys: Sequence[str]


class CloudEventRow(NamedTuple):
    """An accepted event."""

    key: int
    source: str
    id: str
    type: str
    subject: str | None
    attributes: str
    data: str


class Selection(NamedTuple):
    """Which events a wait may take; `since_us` None means since the start of its workflow."""

    workflow: int
    type: str
    source: str | None
    subject: str | None
    sole: bool  # delivery = "one": nobody else with such a wait may have taken it
    since_us: int | None
    matches: Matcher


def cloud_key(type: str, *conditions: str) -> str:
    """Events of a type, or only those that meet a condition."""
    return PART.join((f"cloud:{type}", *conditions))


def accept(tx: Tx, new: NewCloudEvent, now_us: int, keep_us: int) -> bool:
    """Keep an event and wake whom it may concern; False if its source has sent this id before."""
    connection = tx.connection
    connection.execute(
        "DELETE FROM cloud_event WHERE key IN (SELECT key FROM cloud_event WHERE accepted_us < ? LIMIT ?)",
        (now_us - keep_us, SWEEP),
    )
    connection.execute(
        "INSERT INTO cloud_event (source, id, type, subject, attributes, data, accepted_us)"
        " VALUES (?, ?, ?, ?, ?, ?, max(?, coalesce((SELECT max(accepted_us) FROM cloud_event), 0),"
        " coalesce((SELECT created_us FROM workflow WHERE key = (SELECT max(key) FROM workflow)), 0)))"
        " ON CONFLICT (source, id) DO NOTHING",
        (new.source, new.id, new.type, new.subject, new.attributes, new.data, now_us),
    )
    if not connection.changes():
        return False
    _point_out(connection, new.keys, connection.last_insert_rowid(), now_us)
    _tell(tx, new.keys)
    return True


def _tell(tx: Tx, keys: Sequence[str]) -> None:
    """Wake whom an event may concern."""
    tx.touched += keys
    if wake(tx.connection, keys):
        tx.touch("ready")


POINT_OUT = """
    INSERT INTO step (workflow, step, name, output, attempts, started_us)
    SELECT wait.workflow, wait.step, wait.name, ?, 0, ? FROM wait JOIN workflow ON workflow.key = wait.workflow
    WHERE wait.waits IN (SELECT value FROM carray(?)) AND workflow.phase = 'parked'
    ON CONFLICT (workflow, step) DO UPDATE SET output = excluded.output WHERE completed_us IS NULL
"""


def _point_out(connection: apsw.Connection, keys: Sequence[str], event: int, now_us: int) -> None:
    """Tell the parked waits that wake now where to look: they have seen everything before this event."""
    connection.execute(POINT_OUT, (str(event - 1), now_us, texts(tuple(keys))))


CANDIDATES = """
    SELECT key, source, id, type, subject, attributes, data FROM cloud_event
    WHERE type = ?1 AND key > ?2
      AND key >= min(?8, coalesce((SELECT key FROM cloud_event
                  WHERE accepted_us >= coalesce(?3, (SELECT created_us FROM workflow WHERE workflow.key = ?4))
                  ORDER BY accepted_us, key LIMIT 1), ?8))
      AND (?5 IS NULL OR source = ?5) AND (?6 IS NULL OR subject = ?6) AND NOT (?7 AND winner IS NOT NULL)
      AND NOT EXISTS (SELECT 1 FROM taking WHERE taking.workflow = ?4 AND taking.event = cloud_event.key)
    ORDER BY key
"""


def newest(connection: apsw.Connection) -> int:
    """The key of the last event that was accepted."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'cloud_event'").fetchone()
    return 0 if row is None else row[0]


def oldest_match(
    connection: apsw.Connection, selection: Selection, seen: int, began: int | None
) -> CloudEventRow | None:
    """The first event after `seen` that the selection may take.

    `began` is the newest event of the time when the wait began, if that is known: whatever the clock says, what came
    later came after the start of the workflow.
    """
    fresh = NEVER if began is None or selection.since_us is not None else began + 1
    rows: Iterator[CloudEventRow] = map(
        CloudEventRow._make,
        connection.execute(
            CANDIDATES,
            (
                selection.type, seen, selection.since_us, selection.workflow, selection.source, selection.subject,
                selection.sole, fresh,
            ),
        ),
    )  # fmt: skip
    return next((row for row in rows if selection.matches(row)), None)


def take(tx: Tx, selection: Selection, event: int, step: str) -> bool:
    """Take an event for a step; False if it is gone, or somebody else was faster."""
    connection = tx.connection
    connection.execute(
        "INSERT INTO taking (workflow, event, step) SELECT ?, key, ? FROM cloud_event"
        " WHERE key = ? AND NOT (? AND winner IS NOT NULL) ON CONFLICT (workflow, event) DO NOTHING",
        (selection.workflow, step, event, selection.sole),
    )
    if connection.changes() != 1:
        return False
    if selection.sole:
        connection.execute("UPDATE cloud_event SET winner = ? WHERE key = ?", (selection.workflow, event))
    return True


def give_back(tx: Tx, workflow: int, start_step: int) -> None:
    """Undo what a workflow took from `start_step` on; what it had taken alone is there for others again."""
    returned: list[Any] = tx.connection.execute(
        "UPDATE cloud_event SET winner = NULL WHERE winner = ?1 AND key IN"
        " (SELECT event FROM taking WHERE workflow = ?1 AND CAST(step AS INTEGER) >= ?2)"
        " RETURNING type, source, subject, data",
        (workflow, start_step),
    ).fetchall()
    tx.connection.execute(
        "DELETE FROM taking WHERE workflow = ? AND CAST(step AS INTEGER) >= ?", (workflow, start_step)
    )
    for about in returned:
        _tell(tx, keys_of(*about))


def keys_of(type: str, source: str, subject: str | None, data: str) -> Sequence[str]:
    """The keys of all waits that an event may end."""
    return [cloud_key(type, *condition) for condition in conditions_met(source, subject, data)]
