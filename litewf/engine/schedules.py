"""Schedules as the engine sees them: defined, created, paused, resumed, triggered, filled in, and what is due next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from litewf.definitions import ScheduleDefinition
from litewf.engine import claiming, firing, ticks
from litewf.errors import DuplicateWorkflowError, ScheduleNotFoundError, UsageError
from litewf.records import OnMissed, Overlap, ScheduleInfo
from litewf.store import claims, queues, schedules, upcoming
from litewf.store.operations import Tx
from litewf.store.readers import Reader, damaged
from litewf.store.schedules import ScheduleRow
from litewf.world import moment, moment_if

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

LOG = logging.getLogger("litewf")
MOST = 10_000  # ticks of one backfill


# --- changing -----------------------------------------------------------------------------------------------------


def define(runtime: Runtime, defined: Iterable[ScheduleDefinition]) -> Callable[[Tx], None]:
    """Write what the program defines; what differs is replaced, and a pause stays."""
    wanted = list(defined)

    def change(tx: Tx) -> None:
        for definition in wanted:
            _put(runtime, tx, definition, "code")

    return change


def create(runtime: Runtime, definition: ScheduleDefinition) -> Callable[[Tx], None]:
    """Write a schedule that lives in the file; one of this name is replaced, and a pause stays."""

    def change(tx: Tx) -> None:
        known = schedules.find(tx.connection, definition.name)
        if known is not None and known.origin == "code":
            raise UsageError(f"schedule {definition.name!r} is defined in code; change it there")
        _put(runtime, tx, definition, "file")

    return change


def _put(runtime: Runtime, tx: Tx, definition: ScheduleDefinition, origin: str) -> None:
    known = schedules.find(tx.connection, definition.name)
    wanted = ScheduleRow(**definition._asdict(), origin=origin)
    if known is not None:
        wanted = wanted._replace(paused=known.paused, next_us=known.next_us, last_us=known.last_us)
        if wanted == known:
            return
        LOG.info("schedule %r changes from %s to %s", wanted.name, known, wanted)
    now_us = runtime.now_us()
    if known is None or (known.cron, known.timezone) != (wanted.cron, wanted.timezone):
        wanted = wanted._replace(next_us=ticks.next_us(wanted.cron, wanted.timezone, now_us))
    schedules.put(tx, wanted, now_us)
    runtime.unreadable_schedules.discard(wanted.name)


def pause(runtime: Runtime, name: str) -> Callable[[Tx], None]:
    """Let no tick run until it is resumed."""

    def change(tx: Tx) -> None:
        schedules.put(tx, _known(tx.connection, name)._replace(paused=1), runtime.now_us())

    return change


def resume(runtime: Runtime, name: str) -> Callable[[Tx], None]:
    """Go on with the first tick from now on: what came during the pause was not missed."""

    def change(tx: Tx) -> None:
        known, now_us = _known(tx.connection, name), runtime.now_us()
        if known.paused:
            following = ticks.next_us(known.cron, known.timezone, now_us)
            schedules.put(tx, known._replace(paused=0, next_us=following), now_us)

    return change


def remove(runtime: Runtime, name: str) -> Callable[[Tx], None]:
    """Forget a schedule; the workflows that it has started stay."""

    def change(tx: Tx) -> None:
        known = _known(tx.connection, name)
        if known.origin == "code" and name in runtime.registry.schedules:
            raise UsageError(f"schedule {name!r} is defined in this program; remove it there, or pause it")
        schedules.remove(tx, name)

    return change


def trigger(runtime: Runtime, name: str) -> Callable[[Tx], str]:
    """Start its workflow now, beside its ticks, also while it is paused; the id."""
    workflow_id = f"{name}@{runtime.world.workflow_id()}"

    def change(tx: Tx) -> str:
        row, now_us = _known(tx.connection, name), runtime.now_us()
        new = firing.new_workflow(runtime, row, workflow_id, (now_us, now_us), now_us)
        if row.overlap == "allow":
            firing.start_all(tx, row, [new])
        elif not firing.start_alone(tx, row, new):
            raise DuplicateWorkflowError(
                f'schedule {name!r} has overlap="{row.overlap}", and what it started before has not ended; wait for it'
            )
        return workflow_id

    return change


def backfill(runtime: Runtime, name: str, start_us: int, end_us: int) -> Callable[[Tx], list[str]]:
    """Start every tick in between, except those that have been; the ids of all of them."""

    def change(tx: Tx) -> list[str]:
        row, now_us = _known(tx.connection, name), runtime.now_us()
        if end_us > now_us:
            raise UsageError(f"a backfill of schedule {name!r} must not go beyond now, {moment(now_us)}")
        found = ticks.between(row, start_us, end_us, MOST + 1)
        if len(found) > MOST:
            raise UsageError(f"schedule {name!r} has more than {MOST:,} ticks in that time; fill it in part by part")
        new = [firing.new_workflow(runtime, row, firing.tick_id(name, tick), (tick, now_us), now_us) for tick in found]
        firing.start_all(tx, row, new)
        return [one.id for one in new]

    return change


# --- looking ------------------------------------------------------------------------------------------------------


def info(name: str) -> Callable[[Reader], ScheduleInfo]:
    return lambda connection: _info(_known(connection, name))


def infos(connection: Reader) -> list[ScheduleInfo]:
    return [_info(row) for row in schedules.all_schedules(connection)]


def _known(connection: Reader, name: str) -> ScheduleRow:
    found = schedules.find(connection, name)
    if found is None:
        raise ScheduleNotFoundError(f"there is no schedule {name!r} in this file; create_schedule() makes one")
    return found


def _info(row: ScheduleRow) -> ScheduleInfo:
    with damaged(f"schedule {row.name!r}", "delete_schedule() it and create it again"):
        return ScheduleInfo(
            row.name, row.workflow, row.cron, row.timezone, cast("OnMissed", row.on_missed),
            None if row.catch_up_us is None else timedelta(microseconds=row.catch_up_us), cast("Overlap", row.overlap),
            timedelta(microseconds=row.jitter_us), row.queue, row.origin == "code", bool(row.paused),
            moment_if(row.next_us), moment_if(row.last_us),
        )  # fmt: skip


def next_due_us(runtime: Runtime) -> Callable[[Reader], int | None]:
    """When this file needs an engine next: now if something is ready, runs, or may be started from a queue."""
    now_us = runtime.now_us()
    own = firing.firing(runtime) if runtime.settings.serves else None
    able = runtime.able if runtime.settings.serves else None

    def look(connection: Reader) -> int | None:
        if claims.something_is_ready(connection, able):
            return now_us
        times = [upcoming.next_start_us(connection, name, now_us) for name in _waiting(runtime, connection)]
        times += (claims.next_due_us(connection), schedules.next_us(connection, own))
        found = min((time_us for time_us in times if time_us is not None), default=None)
        return None if found is None else max(found, now_us)

    return look


def _waiting(runtime: Runtime, connection: Reader) -> list[str]:
    """The queues on which something waits that this engine runs, or any engine if this is a client."""
    if not runtime.settings.serves:
        return queues.busy(connection)
    names = tuple(runtime.able.names)
    busy = [queue for queue in queues.busy(connection) if claiming.serves(runtime, queue)]
    return [queue for queue in busy if upcoming.waits_for(connection, queue, names)]
