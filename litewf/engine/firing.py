"""Ticks become workflows: what is due is worked out first, then started in the transaction that moves the schedules on.

A schedule that was changed or fired by someone else in between is left for the next look. The id of a tick is its
schedule and its intended time, so even a tick that comes up again finds its workflow there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from litewf.engine.starting import encode_input, touch_all
from litewf.engine.ticks import due_ticks
from litewf.engine.watching import start_trace
from litewf.store import claims, queues, schedules
from litewf.store.operations import Tx
from litewf.store.queues import SCHEDULED, NewTask
from litewf.store.schedules import Firing, ScheduleRow
from litewf.store.starts import NewWorkflow, insert_workflows
from litewf.world import moment

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

LOG = logging.getLogger("litewf")
SCHEDULES = 100  # in one transaction
TICKS = 100  # of one schedule in one transaction
ALL_TICKS = 500  # in one transaction


class Plan(NamedTuple):
    """A schedule that is due: the workflows to start, and its next tick."""

    row: ScheduleRow
    ticks: Sequence[tuple[int, NewWorkflow]]  # with their intended times
    next_us: int | None


def next_due_us(runtime: Runtime) -> int | None:
    """When something in the file is due that this engine has to do."""
    own = firing(runtime)
    times = runtime.store.peek(lambda one: (claims.next_due_us(one), schedules.next_us(one, own)))
    return min((time_us for time_us in times if time_us is not None), default=None)


def firing(runtime: Runtime) -> Firing:
    registry = runtime.registry
    return Firing(registry.workflows, registry.schedules, runtime.unreadable_schedules)


def fire(runtime: Runtime, now_us: int) -> None:
    """Start what is due of the schedules of this engine."""
    own = firing(runtime)
    rows = runtime.store.peek(lambda connection: schedules.due(connection, own, now_us, SCHEDULES))
    if not rows:
        return
    plans, left = [], ALL_TICKS
    for row in rows:
        plan = _plan(runtime, row, now_us, min(TICKS, left))
        if plan is not None:
            plans.append(plan)
            left -= len(plan.ticks)
        if left <= 0:
            break
    for name, overlapped in runtime.store.writer.turn(lambda tx: _start(tx, plans, now_us), inline=True):
        LOG.info("schedule %r: %d ticks are left out, what it started before has not ended", name, overlapped)


def _plan(runtime: Runtime, row: ScheduleRow, now_us: int, most: int) -> Plan | None:
    """Work out one schedule; one that cannot be read, as in a time zone that this machine lacks, is left to others."""
    try:
        due = due_ticks(row, now_us, most)
    except (ValueError, TypeError, OverflowError) as error:
        LOG.warning("schedule %r does not run here: %s", row.name, error)
        runtime.unreadable_schedules.add(row.name)
        return None
    return Plan(row, [(tick_us, _tick(runtime, row, tick_us, now_us)) for tick_us in due.ticks], due.next_us)


def _tick(runtime: Runtime, row: ScheduleRow, intended_us: int, now_us: int) -> NewWorkflow:
    """The workflow of one tick; its jitter is drawn here, once, and is in the file with it."""
    delay_us = round(runtime.world.entropy.random() * row.jitter_us) if row.jitter_us else 0
    task = NewTask(row.queue or SCHEDULED, due_us=now_us + delay_us) if row.jitter_us else None
    return new_workflow(runtime, row, tick_id(row.name, intended_us), (intended_us, now_us + delay_us), now_us, task)


def tick_id(name: str, intended_us: int) -> str:
    """The same for whoever starts this tick."""
    return f"{name}@{moment(intended_us).isoformat().replace('+00:00', 'Z')}"


def new_workflow(
    runtime: Runtime, row: ScheduleRow, id: str, times_us: tuple[int, int], now_us: int, task: NewTask | None = None
) -> NewWorkflow:
    """A workflow of a schedule, with its intended and its actual time."""
    text = encode_input(runtime, row.receiver, [moment(time_us) for time_us in times_us], {})[0]
    if task is None and row.queue is not None:
        task = NewTask(row.queue)
    return NewWorkflow(
        id, row.workflow, None, None, detached=False, deadline_us=None, application_version=runtime.starts_as,
        created_us=now_us, input=text, trace=start_trace(runtime, row.workflow, id, row.queue), task=task,
    )  # fmt: skip


def _start(tx: Tx, plans: Sequence[Plan], now_us: int) -> list[tuple[str, int]]:
    """Start the ticks of all that are as they were; which schedules left out how many."""
    free: list[NewWorkflow] = []
    left_out = []
    for row, due, next_us in plans:
        if schedules.find(tx.connection, row.name) != row:
            continue
        if row.overlap == "allow":
            free += (new for _, new in due)
            started = due
        else:
            started = [one for one in due if start_alone(tx, row, one[1])]
        last_us = max((tick_us for tick_us, _ in started), default=None)
        schedules.move(tx, row.name, next_us, last_us, now_us)
        if len(started) < len(due):
            left_out.append((row.name, len(due) - len(started)))
    _insert(tx, free)
    return left_out


def start_alone(tx: Tx, row: ScheduleRow, new: NewWorkflow) -> bool:
    """Start a workflow of a schedule whose runs must not overlap, if there is a place for it.

    A place is a deduplication id: one for `skip`, and one more for the tick that `buffer_one` keeps behind.
    """
    task = alone(row, new)
    for place in _places(row):
        if queues.holder(tx.connection, task.queue, place) is None:
            _insert(tx, [new._replace(task=task._replace(deduplication_id=place))])
            return True
    return False


def alone(row: ScheduleRow, new: NewWorkflow) -> NewTask:
    """Where such a workflow stands: in litewf's own queue one after the other, in the user's as that says."""
    task = new.task or NewTask(row.queue or SCHEDULED)
    return task if row.queue is not None else task._replace(partition=row.name)


def _places(row: ScheduleRow) -> Sequence[str]:
    first = f"litewf.schedule:{row.name}"
    return (first,) if row.overlap == "skip" else (first, f"{first}:behind")


def _insert(tx: Tx, workflows: Sequence[NewWorkflow]) -> None:
    if workflows:
        insert_workflows(tx.connection, workflows)
        touch_all(tx, workflows)


def start_all(tx: Tx, row: ScheduleRow, workflows: Sequence[NewWorkflow]) -> None:
    """Start workflows of a schedule whatever runs of it, those that must not overlap one after the other."""
    one_by_one = row.overlap != "allow"
    _insert(tx, [new._replace(task=alone(row, new)) if one_by_one else new for new in workflows])
