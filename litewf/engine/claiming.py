"""One round of claims: first what is on no queue, then each queue in turn, as far as its limits and the room allow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from litewf.registry import is_own
from litewf.store import claims, queues
from litewf.store.claims import Claimed, Claimer, Room
from litewf.store.operations import Tx
from litewf.store.queues import QueueRow

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


class Round:
    """What a round brought: workflows to run, ids that are held now, and where there may be more."""

    def __init__(self, *, more: bool = False) -> None:
        self.workflows: list[Claimed] = []
        self.held: list[tuple[str, str]] = []
        self.more = more
        self.more_of: list[str] = []
        self.next_us: dict[str, int | None] = {}  # when the rate limit of a queue allows its next start


def claim(runtime: Runtime, room: Room, wanted: Collection[str] | None, turn: int) -> Round:
    """Take what this engine may run now; `wanted` are the queues to look at, None for all.

    Most looks find nothing at all: they take no turn from anybody who writes. A file that a write has left in doubt is
    opened again by the next write, so that comes in any case.
    """
    if runtime.store.writer.in_order and not runtime.store.peek(claims.something_waits):
        return Round()
    now_us = runtime.now_us()
    return runtime.store.writer.turn(
        lambda tx: _round(tx, runtime, Claimer(tx, runtime.able, room, now_us), wanted, turn), inline=True
    )


def _round(tx: Tx, runtime: Runtime, claimer: Claimer, wanted: Collection[str] | None, turn: int) -> Round:
    if not claimer.is_known:
        return Round()
    done = Round(more=claimer.ready())
    names = _names(tx, runtime, wanted, turn)
    for at, name in enumerate(names):
        if claimer.full:
            done.more_of += names[at:]
            break
        _claim_from(runtime, claimer, queues.find(tx.connection, name) or QueueRow(name), len(names) - at, done)
    done.workflows, done.held = claimer.workflows, claimer.held
    return done


def _names(tx: Tx, runtime: Runtime, wanted: Collection[str] | None, turn: int) -> Sequence[str]:
    """The queues to look at, each first in its turn."""
    found = {*(queues.busy(tx.connection) if wanted is None else wanted), *queues.woken(tx.connection)}
    names = sorted(name for name in found if serves(runtime, name))
    first = turn % len(names) if names else 0
    return [*names[first:], *names[:first]]


def serves(runtime: Runtime, queue: str) -> bool:
    """Whether this engine starts workflows from a queue; litewf's own queues are everyone's."""
    settings = runtime.settings
    return settings.serves and (settings.queues is None or queue in settings.queues or is_own(queue))


def _claim_from(runtime: Runtime, claimer: Claimer, queue: QueueRow, sharers: int, done: Round) -> None:
    """Take from one queue no more than its share of the room, so that none takes it all."""
    room = claimer.left
    if queue.worker_concurrency is not None:
        room = queue.worker_concurrency - runtime.running_of(queue.name)
    found = claimer.queue(queue, room, max(claimer.left // sharers, 1))
    done.next_us[queue.name] = found.next_us
    if found.is_more:
        done.more_of.append(queue.name)
