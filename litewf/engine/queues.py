"""Queues as the engine sees them: their limits, checked and written, and what the program defines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from litewf.errors import QueueNotFoundError, QueuePriorityError
from litewf.store import queues
from litewf.store.operations import Tx
from litewf.store.queues import QueueRow
from litewf.store.readers import Reader

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

LOG = logging.getLogger("litewf")


def define(runtime: Runtime, defined: Iterable[QueueRow]) -> Callable[[Tx], None]:
    """Write the limits that the program gives its queues; those that differ are replaced."""
    rows = list(defined)

    def change(tx: Tx) -> None:
        for row in rows:
            known = queues.find(tx.connection, row.name)
            wanted = row if known is None else row._replace(paused=known.paused)
            if known != wanted:
                if known is not None:
                    LOG.info("the limits of queue %r change from %s to %s", row.name, known, wanted)
                queues.put(tx, wanted, runtime.now_us())

    return change


def update(runtime: Runtime, name: str, changes: dict[str, Any], *, create: bool) -> Callable[[Tx], None]:
    """Change some limits of a queue."""

    def change(tx: Tx) -> None:
        known = queues.find(tx.connection, name)
        if known is None and not create:
            raise not_found(name)
        queues.put(tx, (known or QueueRow(name))._replace(**changes), runtime.now_us())

    return change


def remove(name: str) -> Callable[[Tx], None]:
    """Forget a queue's limits."""

    def change(tx: Tx) -> None:
        if not queues.remove(tx, name):
            raise not_found(name)

    return change


def listed() -> Callable[[Reader], list[QueueRow]]:
    return queues.all_queues


def not_found(name: str) -> QueueNotFoundError:
    return QueueNotFoundError(f"no queue {name!r} is defined in this file; create_queue({name!r}) does")


def check_priority(connection: Reader, name: str) -> None:
    """A priority means nothing on a queue that does not look at it: that is a mistake."""
    known = queues.find(connection, name)
    if known is None or not known.priority_enabled:
        raise QueuePriorityError(
            f"queue {name!r} has no priorities: define it with priority_enabled=True, or give none"
        )
