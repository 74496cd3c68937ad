"""One round of claims: first what is on no queue, then each queue in turn, as far as its limits and the room allow."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from litewf.store import queues
from litewf.store.claims import Claimed, Claimer, Room
from litewf.store.operations import Tx
from litewf.store.queues import QueueRow

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


@dataclass(slots=True)
class Round:
    """What a round brought: workflows to run, ids that are held now, and where there may be more."""

    workflows: list[Claimed] = field(default_factory=list)
    held: list[tuple[str, str]] = field(default_factory=list)
    more: bool = False
    more_of: list[str] = field(default_factory=list)
    next_us: dict[str, int] = field(default_factory=dict)  # when the rate limit of a queue allows its next start


def claim(runtime: Runtime, room: Room, wanted: Collection[str] | None, turn: int) -> Round:
    """Take what this engine may run now; `wanted` are the queues to look at, None for all."""
    now_us = runtime.now_us()
    return runtime.store.writer.turn(
        lambda tx: _round(tx, runtime, Claimer(tx, runtime.able, room, now_us), wanted, turn)
    )


def _round(tx: Tx, runtime: Runtime, claimer: Claimer, wanted: Collection[str] | None, turn: int) -> Round:
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
    served = runtime.settings.queues
    names = sorted(found if served is None else found.intersection((*served, queues.SCHEDULED)))
    first = turn % len(names) if names else 0
    return [*names[first:], *names[:first]]


def _claim_from(runtime: Runtime, claimer: Claimer, queue: QueueRow, sharers: int, done: Round) -> None:
    """Take from one queue no more than its share of the room, so that none takes it all."""
    share = max(claimer.left // sharers, 1)
    most = share
    if queue.worker_concurrency is not None:
        most = min(share, queue.worker_concurrency - runtime.running_of(queue.name))
    before = claimer.left
    next_us = claimer.queue(queue, most)
    taken = before - claimer.left
    if next_us is not None:
        done.next_us[queue.name] = next_us
    elif taken and (taken == share or taken == queue.max_tasks_per_iteration):
        done.more_of.append(queue.name)
