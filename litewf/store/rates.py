"""Rate limits: when a queue has started its last workflows, so that no window of its period sees more than its limit.

The starts of a queue are a ring, their place the count modulo the limit: a start is allowed when the one that it would
replace is a period old. That costs the same for every limit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from litewf.store.operations import Tx


class Rate(NamedTuple):
    """So many starts of a queue in any window of a period."""

    queue: str
    limit: int
    period_us: int


class Allowance(NamedTuple):
    """How many starts a rate limit allows now, and when the next one if it stops there."""

    starts: int
    next_us: int | None


def allows(tx: Tx, rate: Rate, wanted: int, now_us: int) -> Allowance:
    """What a rate limit allows of so many starts."""
    count = _count(tx, rate.queue)
    _forget_future(tx, rate, count, now_us)
    for ahead in range(wanted):
        past_us = now_us if ahead >= rate.limit else _started_us(tx, rate, count + ahead)
        if past_us is not None and past_us + rate.period_us > now_us:
            return Allowance(ahead, past_us + rate.period_us)
    return Allowance(wanted, None)


def count_starts(tx: Tx, rate: Rate, starts: int, now_us: int) -> None:
    """Note that so many were started now."""
    count = _count(tx, rate.queue)
    for number in range(count, count + starts):
        _note(tx, rate, number, now_us)
    _set_count(tx, rate.queue, count + starts)


def change(tx: Tx, queue: str, before: Rate | None, after: Rate | None) -> None:
    """Go on under another limit, which counts the starts under the one before."""
    kept = [] if before is None or after is None else _latest(tx, before, after.limit)
    forget(tx, queue)
    for number, started_us in enumerate(kept):
        assert after is not None
        _note(tx, after, number, started_us)
    _set_count(tx, queue, len(kept))


def forget(tx: Tx, queue: str) -> None:
    """A queue has no rate limit any more."""
    tx.connection.execute("DELETE FROM started WHERE queue = ?", (queue,))


def _latest(tx: Tx, before: Rate, most: int) -> list[int]:
    """The latest starts, oldest first; those that the ring has overwritten as late as its limit allowed them to be."""
    rows: list[Any] = tx.connection.execute(
        "SELECT started_us FROM started WHERE queue = ? ORDER BY started_us DESC LIMIT ?", (before.queue, most)
    ).fetchall()
    latest = [row[0] for row in rows]
    while before.limit <= len(latest) < min(most, _count(tx, before.queue)):
        latest.append(latest[len(latest) - before.limit] - before.period_us)
    return latest[::-1]


def _forget_future(tx: Tx, rate: Rate, count: int, now_us: int) -> None:
    """A clock that was set back: starts that lie in the future count as now."""
    newest_us = _started_us(tx, rate, count - 1) if count else None
    if newest_us is not None and newest_us > now_us:
        tx.connection.execute(
            "UPDATE started SET started_us = ? WHERE queue = ? AND started_us > ?", (now_us, rate.queue, now_us)
        )


def _started_us(tx: Tx, rate: Rate, number: int) -> int | None:
    row = tx.connection.execute(
        "SELECT started_us FROM started WHERE queue = ? AND place = ?", (rate.queue, number % rate.limit)
    ).fetchone()
    return None if row is None else row[0]


def _note(tx: Tx, rate: Rate, number: int, started_us: int) -> None:
    tx.connection.execute(
        "INSERT OR REPLACE INTO started VALUES (?, ?, ?)", (rate.queue, number % rate.limit, started_us)
    )


def _count(tx: Tx, queue: str) -> int:
    row: Any = tx.connection.execute("SELECT starts FROM queue WHERE name = ?", (queue,)).fetchone()
    return int(row[0])


def _set_count(tx: Tx, queue: str, starts: int) -> None:
    tx.connection.execute("UPDATE queue SET starts = ? WHERE name = ?", (starts, queue))
