"""Rate limits: when a queue has started its last workflows, so that no window of its period sees more than its limit.

The starts of a queue are numbered. A start is allowed when the one `limit` before it is a period old; that one is then
forgotten, so a look costs the same for every limit.

A limit that is raised, or a period that is prolonged, may ask for starts that were forgotten. Each was forgotten by a
later start, at most as many numbers later as there are rows, and at least the shortest period later that was ever in
force: so much is known of it, and counts.
"""

from typing import Any, NamedTuple

import apsw

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
        past_us = now_us if ahead >= rate.limit else _started_us(tx, rate.queue, count + ahead - rate.limit)
        if past_us is not None and past_us + rate.period_us > now_us:
            return Allowance(ahead, past_us + rate.period_us)
    return Allowance(wanted, None)


def next_us(connection: apsw.Connection, rate: Rate, now_us: int) -> int:
    """When the next start is allowed, for those who only look."""
    past: Any = connection.execute(
        "SELECT started_us FROM started WHERE queue = ?1 AND number = (SELECT starts FROM queue WHERE name = ?1) - ?2",
        (rate.queue, rate.limit),
    ).fetchone()
    return now_us if past is None else max(now_us, min(past[0], now_us) + rate.period_us)


def count_starts(tx: Tx, rate: Rate, starts: int, now_us: int) -> None:
    """Note that so many were started now."""
    count = _count(tx, rate.queue)
    for number in range(count, count + starts):
        _note(tx, rate.queue, number, now_us)
        tx.connection.execute("DELETE FROM started WHERE queue = ? AND number = ?", (rate.queue, number - rate.limit))
    tx.connection.execute("UPDATE queue SET starts = ? WHERE name = ?", (count + starts, rate.queue))


def change(tx: Tx, queue: str, before: Rate | None, after: Rate | None) -> None:
    """Go on under another limit, which counts the starts under those before."""
    if before is None or after is None:
        forget(tx, queue)
        shortest_us = None if after is None else after.period_us
        tx.connection.execute("UPDATE queue SET starts = 0, shortest_us = ? WHERE name = ?", (shortest_us, queue))
        return
    _remember(tx, queue, after.limit)
    tx.connection.execute("UPDATE queue SET shortest_us = min(shortest_us, ?) WHERE name = ?", (after.period_us, queue))


def forget(tx: Tx, queue: str) -> None:
    """A queue has no rate limit any more."""
    tx.connection.execute("DELETE FROM started WHERE queue = ?", (queue,))


def _remember(tx: Tx, queue: str, limit: int) -> None:
    """Have the latest `limit` starts; those that were forgotten as late as they may have been."""
    count, shortest_us = _counted(tx, queue)
    rows: list[Any] = tx.connection.execute(
        "SELECT number, started_us FROM started WHERE queue = ?", (queue,)
    ).fetchall()
    known: dict[int, int] = dict(rows)
    for number in range(count - 1, max(count - limit, 0) - 1, -1):
        if number not in known:
            known[number] = known[min(number + len(rows), count - 1)] - shortest_us
            _note(tx, queue, number, known[number])
    oldest = count - max(len(rows), limit)
    tx.connection.execute("DELETE FROM started WHERE queue = ? AND number < ?", (queue, oldest))


def _forget_future(tx: Tx, rate: Rate, count: int, now_us: int) -> None:
    """A clock that was set back: starts that lie in the future count as now."""
    newest_us = _started_us(tx, rate.queue, count - 1)
    if newest_us is not None and newest_us > now_us:
        tx.connection.execute(
            "UPDATE started SET started_us = ? WHERE queue = ? AND started_us > ?", (now_us, rate.queue, now_us)
        )


def _started_us(tx: Tx, queue: str, number: int) -> int | None:
    row = tx.connection.execute(
        "SELECT started_us FROM started WHERE queue = ? AND number = ?", (queue, number)
    ).fetchone()
    return None if row is None else row[0]


def _note(tx: Tx, queue: str, number: int, started_us: int) -> None:
    tx.connection.execute("INSERT INTO started VALUES (?, ?, ?)", (queue, number, started_us))


def _count(tx: Tx, queue: str) -> int:
    return _counted(tx, queue)[0]


def _counted(tx: Tx, queue: str) -> tuple[int, int]:
    """How many starts there were, and the shortest period since the first of them."""
    row: Any = tx.connection.execute("SELECT starts, shortest_us FROM queue WHERE name = ?", (queue,)).fetchone()
    return row[0], row[1]
