"""Schedules: workflows that run again and again, defined in code or in the file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from litewf import cron as crons
from litewf.api.actions import Action, Operations, awaiting, blocking, change, query
from litewf.api.handle import WorkflowHandle
from litewf.api.queues import Queue, name_of
from litewf.api.workflow import BaseWorkflow
from litewf.definitions import ScheduleDefinition
from litewf.durations import Duration, duration_us, moment_us, optional_duration_us
from litewf.engine import schedules, starting
from litewf.records import OnMissed, Overlap, ScheduleInfo
from litewf.registry import NAME_LIMIT, check_definition_name
from litewf.world import moment_if

W = TypeVar("W", bound=BaseWorkflow[Any, Any])
LONGEST_NAME = NAME_LIMIT - 37  # the id of a workflow that it starts has '@' and a time, or a UUID, after its name


def scheduled(
    cron: str,
    *,
    name: str | None = None,
    timezone: str = "UTC",
    on_missed: OnMissed = "skip",
    catch_up: Duration | None = None,
    overlap: Overlap = "allow",
    jitter: Duration = 0.0,
    queue: Queue | str | None = None,
) -> Callable[[W], W]:
    """Run the workflow below at the times of a cron expression, while an engine runs whose program defines it.

    Five fields, or six with the seconds first. The workflow takes the intended time of the tick and the actual one, its
    jitter included. Each tick runs once, as the workflow `<name>@<intended time in UTC>`; `name` is that of the
    workflow unless given.

    Where the clocks change: with a `*` in the hour field every moment whose local time matches is a tick. Without, each
    matching local time is one tick: one that is skipped at the end of the gap, one that is repeated the first time.

    A tick is missed if a later one is due too, or if it is more than 60 s late. `on_missed="skip"` leaves missed ticks
    out, `"once"` runs the latest that is due, `"all"` each of them; `catch_up` is how far the last two look back.

    `overlap="skip"` leaves a tick out while what the schedule started before has not ended; `"buffer_one"` lets one
    tick wait for that, and leaves out more. `jitter` puts off each start by a random time up to this. A `queue` is
    where the ticks wait for their turn.
    """

    def decorate(workflow: W) -> W:
        if not isinstance(workflow, BaseWorkflow):
            raise TypeError(f"@scheduled goes above @workflow, not on {workflow!r:.80}")
        definition = _definition(
            workflow.name if name is None else name, workflow, cron, timezone=timezone, on_missed=on_missed,
            catch_up=catch_up, overlap=overlap, jitter=jitter, queue=queue,
        )  # fmt: skip
        workflow.add_schedule(definition)
        return workflow

    _check_times(cron, timezone)  # where it stands, not where it is applied
    return decorate


class Schedules(Operations):
    """Schedules that live in the file, and all of them while everything runs."""

    def _create_schedule(
        self,
        name: str,
        workflow: BaseWorkflow[Any, Any] | str,
        cron: str,
        *,
        timezone: str = "UTC",
        on_missed: OnMissed = "skip",
        catch_up: Duration | None = None,
        overlap: Overlap = "allow",
        jitter: Duration = 0.0,
        queue: Queue | str | None = None,
    ) -> Action[None]:
        """Run a workflow, or one that other programs have under this name, at the times of a cron expression.

        It fires while an engine runs that has the workflow. A schedule of this name is replaced, and stays paused if it
        is; the first tick is the next one from now if the times are others. The options are those of `scheduled`.
        """
        definition = _definition(
            name, workflow, cron, timezone=timezone, on_missed=on_missed, catch_up=catch_up, overlap=overlap,
            jitter=jitter, queue=queue,
        )  # fmt: skip
        return change("create_schedule", lambda runtime: schedules.create(runtime, definition))

    def _get_schedule(self, name: str) -> Action[ScheduleInfo]:
        """One schedule."""
        check_definition_name(name, "a schedule's name")
        return query("get_schedule", lambda _: schedules.info(name))

    def _list_schedules(self) -> Action[list[ScheduleInfo]]:
        """All schedules in the file, by name."""
        return query("list_schedules", lambda _: schedules.infos)

    def _pause_schedule(self, name: str) -> Action[None]:
        """Let no tick run from now on; those that have begun go on."""
        check_definition_name(name, "a schedule's name")
        return change("pause_schedule", lambda runtime: schedules.pause(runtime, name))

    def _resume_schedule(self, name: str) -> Action[None]:
        """Go on with the next tick from now; those of the pause are not missed, whatever `on_missed` says."""
        check_definition_name(name, "a schedule's name")
        return change("resume_schedule", lambda runtime: schedules.resume(runtime, name))

    def _trigger_schedule(self, name: str) -> Action[WorkflowHandle[Any]]:
        """Start its workflow now, beside its ticks, also while it is paused.

        Where `overlap` would leave out a tick now, it raises DuplicateWorkflowError.
        """
        check_definition_name(name, "a schedule's name")
        return change(
            "trigger_schedule",
            lambda runtime: schedules.trigger(runtime, name),
            lambda runtime, workflow_id: WorkflowHandle(workflow_id, runtime),
        )

    def _backfill_schedule(self, name: str, start: datetime, end: datetime) -> Action[list[WorkflowHandle[Any]]]:
        """Start every tick from `start` on, it included, and before `end`, it not included; in one commit.

        Ticks that have run are not run again; their handles are among those returned. It works on paused schedules,
        too. What must not overlap runs one after the other, on a `queue` of yours as that allows.
        """
        check_definition_name(name, "a schedule's name")
        start_us, end_us = moment_us(start, "start"), moment_us(end, "end")
        if end_us <= start_us:
            raise ValueError(f"the end of a backfill must come after its start, {start}; it is {end}")
        return change(
            "backfill_schedule",
            lambda runtime: schedules.backfill(runtime, name, start_us, end_us),
            lambda runtime, ids: [WorkflowHandle(workflow_id, runtime) for workflow_id in ids],
        )

    def _delete_schedule(self, name: str) -> Action[None]:
        """Forget a schedule; the workflows that it has started stay."""
        check_definition_name(name, "a schedule's name")
        return change("delete_schedule", lambda runtime: schedules.remove(runtime, name))

    def _next_due(self) -> Action[datetime | None]:
        """When this file needs an engine next: for a timer, a delay, a deadline or a schedule; now if there is work.

        None if nothing is to come. An engine counts only the schedules that it fires itself, a client all.
        """
        return query("next_due", schedules.next_due_us, lambda _, due_us: moment_if(due_us))

    create_schedule = blocking(_create_schedule)
    create_schedule_async = awaiting(_create_schedule)
    get_schedule = blocking(_get_schedule)
    get_schedule_async = awaiting(_get_schedule)
    list_schedules = blocking(_list_schedules)
    list_schedules_async = awaiting(_list_schedules)
    pause_schedule = blocking(_pause_schedule)
    pause_schedule_async = awaiting(_pause_schedule)
    resume_schedule = blocking(_resume_schedule)
    resume_schedule_async = awaiting(_resume_schedule)
    trigger_schedule = blocking(_trigger_schedule)
    trigger_schedule_async = awaiting(_trigger_schedule)
    backfill_schedule = blocking(_backfill_schedule)
    backfill_schedule_async = awaiting(_backfill_schedule)
    delete_schedule = blocking(_delete_schedule)
    delete_schedule_async = awaiting(_delete_schedule)
    next_due = blocking(_next_due)
    next_due_async = awaiting(_next_due)


# --- checks -------------------------------------------------------------------------------------------------------


def _definition(
    name: str,
    workflow: BaseWorkflow[Any, Any] | str,
    cron: str,
    *,
    timezone: str,
    on_missed: OnMissed,
    catch_up: Duration | None,
    overlap: Overlap,
    jitter: Duration,
    queue: Queue | str | None,
) -> ScheduleDefinition:
    _check_name(name)
    workflow_name, receiver = _checked_workflow(workflow)
    _check_times(cron, timezone)
    if on_missed not in ("skip", "once", "all"):
        raise ValueError(f'on_missed is "skip", "once" or "all", not {on_missed!r}')
    if overlap not in ("allow", "skip", "buffer_one"):
        raise ValueError(f'overlap is "allow", "skip" or "buffer_one", not {overlap!r}')
    if overlap == "buffer_one" and queue is not None:
        raise ValueError('overlap="buffer_one" keeps ticks in a queue of its own: give it no queue')
    catch_up_us = optional_duration_us(catch_up, "catch_up")
    if catch_up_us is not None and on_missed == "skip":
        raise ValueError('catch_up has a meaning only with on_missed="once" or "all"')
    return ScheduleDefinition(
        name, workflow_name, receiver, cron, timezone, on_missed, catch_up_us, overlap, duration_us(jitter, "jitter"),
        None if queue is None else name_of(queue),
    )  # fmt: skip


def _check_name(name: object) -> None:
    checked = check_definition_name(name, "a schedule's name")
    if len(checked) > LONGEST_NAME:
        raise ValueError(f"a schedule's name has at most {LONGEST_NAME} characters, not {len(checked)}")
    if "~" in checked:
        raise ValueError(f"a schedule's name must not contain '~', which marks children: {checked!r}")


def _check_times(cron: str, timezone: str) -> None:
    crons.parse(cron)
    crons.zone_named(timezone)


def _checked_workflow(workflow: object) -> tuple[str, str | None]:
    """The name of a workflow and what it is called on."""
    if isinstance(workflow, str):
        return check_definition_name(workflow, "a workflow's name"), None
    if not isinstance(workflow, BaseWorkflow):
        raise TypeError(f"a schedule is of a function with @workflow, or of the name of one, not of {workflow!r:.80}")
    try:
        request = workflow.request((None, None), {})
    except TypeError as error:
        raise TypeError(f"a schedule calls its workflow with (scheduled_at, actual_at); {error}") from None
    if request.options != starting.DEFAULTS:
        raise ValueError("a schedule starts its workflow without options: leave out with_options(), give it a queue=")
    return workflow.name, request.receiver
