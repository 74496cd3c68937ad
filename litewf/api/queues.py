"""Queues: how many workflows run at once, how often they start, and in which order."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ParamSpec, TypedDict, TypeVar, Unpack

from litewf.api.actions import Action, Operations, awaiting, blocking, change, perform, perform_async, query
from litewf.api.handle import WorkflowHandle
from litewf.api.starts import debounce_request, enqueue_request, many_on, start, start_many
from litewf.api.workflow import BaseWorkflow
from litewf.definitions import QueueDefinition
from litewf.durations import Duration, duration_us, positive
from litewf.engine import debouncing, queues
from litewf.records import QueueInfo, RateLimit
from litewf.registry import Registry, check_definition_name, check_name, default_registry
from litewf.serialization.conversion import T
from litewf.store.queues import QueueRow

P = ParamSpec("P")
R = TypeVar("R")


class Queue:
    """A queue that the program defines; launch writes its limits to the file.

    `worker_concurrency` is for each engine, all other limits are for the file: `global_concurrency` and, for each
    partition key, `partition_concurrency` running at once, `rate_limit` starts in any period, across processes and
    restarts. `max_tasks_per_iteration` bounds how many one look at the queue starts.
    """

    def __init__(
        self,
        name: str,
        *,
        worker_concurrency: int | None = None,
        global_concurrency: int | None = None,
        rate_limit: RateLimit | None = None,
        priority_enabled: bool = False,
        partition_concurrency: int | None = None,
        max_tasks_per_iteration: int | None = None,
        registry: Registry = default_registry,
    ) -> None:
        limits = _checked(
            name, worker_concurrency=worker_concurrency, global_concurrency=global_concurrency, rate_limit=rate_limit,
            priority_enabled=priority_enabled, partition_concurrency=partition_concurrency,
            max_tasks_per_iteration=max_tasks_per_iteration,
        )  # fmt: skip
        self.name = name
        registry.add_queue(QueueDefinition(name, **limits))

    def __repr__(self) -> str:
        return f"<queue {self.name!r}>"


class QueueLimits(TypedDict, total=False):
    """The limits of a queue; see Queue."""

    worker_concurrency: int | None
    global_concurrency: int | None
    rate_limit: RateLimit | None
    priority_enabled: bool
    partition_concurrency: int | None
    max_tasks_per_iteration: int | None


def _checked(name: str, **limits: Unpack[QueueLimits]) -> dict[str, Any]:
    check_definition_name(name, "a queue's name")
    unknown = set(limits) - set(QueueLimits.__annotations__)
    if unknown:
        raise TypeError(f"a queue has no limit {', '.join(sorted(unknown))}")
    checked: dict[str, Any] = dict(limits)
    for field in ("worker_concurrency", "global_concurrency", "partition_concurrency", "max_tasks_per_iteration"):
        if checked.get(field) is not None:
            positive(checked[field], field)
    if "priority_enabled" in checked and not isinstance(checked["priority_enabled"], bool):
        raise TypeError(f"priority_enabled is True or False, not {checked['priority_enabled']!r}")
    if "rate_limit" in checked:
        rate = checked.pop("rate_limit")
        if rate is not None and not isinstance(rate, RateLimit):
            raise TypeError(f"rate_limit is a litewf.RateLimit, not {type(rate).__name__}")
        checked["rate_limit"] = None if rate is None else rate.limit
        checked["rate_period_us"] = None if rate is None else rate.period_us
    return checked


def name_of(queue: Queue | str) -> str:
    """The name of a queue, given as it is or as text."""
    return check_definition_name(queue.name if isinstance(queue, Queue) else queue, "a queue's name")


class Queues(Operations):
    """Putting workflows on queues, and changing queues while everything runs."""

    def enqueue(
        self, queue: Queue | str, workflow: BaseWorkflow[P, T] | str, /, *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandle[T]:
        """Put a workflow on a queue; it is durable on return, and starts when the limits of the queue allow it.

        `workflow` may be a name that only other programs have the code of; WorkflowName takes options beside it.
        """
        return perform(self._running(), start("enqueue", enqueue_request(name_of(queue), workflow, args, kwargs)))

    def enqueue_async(
        self, queue: Queue | str, workflow: BaseWorkflow[P, T] | str, /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, WorkflowHandle[T]]:
        """Put a workflow on a queue; see enqueue."""
        return perform_async(self._running(), start("enqueue", enqueue_request(name_of(queue), workflow, args, kwargs)))

    def debounce(
        self, workflow: BaseWorkflow[P, R], key: str, period: Duration, /, *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandle[R]:
        """Start a workflow once no call with this key has come for `period`; the arguments of the last call count.

        `workflow.with_options(max_delay=...)` bounds how long calls put it off, `queue=` says where it then waits.
        """
        return perform(self._running(), _debounce(workflow, key, period, args, kwargs))

    def debounce_async(
        self, workflow: BaseWorkflow[P, R], key: str, period: Duration, /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, WorkflowHandle[R]]:
        """Start a workflow once no call with this key has come for `period`; see debounce."""
        return perform_async(self._running(), _debounce(workflow, key, period, args, kwargs))

    def _enqueue_many(self, queue: Queue | str, starts: Sequence[Sequence[Any]]) -> Action[list[WorkflowHandle[Any]]]:
        """Put several workflows on a queue in one commit, all or none: [(render, 1), (render, 2)]."""
        name = name_of(queue)
        return start_many("enqueue_many", lambda: many_on(name, starts))

    def _create_queue(self, name: str, **limits: Unpack[QueueLimits]) -> Action[None]:
        """Give a queue limits, in the file, from now on."""
        changes = _checked(name, **limits)
        return change("create_queue", lambda runtime: queues.update(runtime, name, changes, create=True))

    def _update_queue(self, name: str, **limits: Unpack[QueueLimits]) -> Action[None]:
        """Change some limits of a queue, at once; None lifts one."""
        changes = _checked(name, **limits)
        return change("update_queue", lambda runtime: queues.update(runtime, name, changes, create=False))

    def _list_queues(self) -> Action[list[QueueInfo]]:
        """The queues that have limits in the file, by name."""
        return query("list_queues", lambda _: lambda connection: [_info(row) for row in queues.listed()(connection)])

    def _pause_queue(self, name: str) -> Action[None]:
        """Start nothing more from a queue; what was started goes on."""
        check_definition_name(name, "a queue's name")
        return change("pause_queue", lambda runtime: queues.update(runtime, name, {"paused": 1}, create=True))

    def _resume_queue(self, name: str) -> Action[None]:
        """Start from a paused queue again."""
        check_definition_name(name, "a queue's name")
        return change("resume_queue", lambda runtime: queues.update(runtime, name, {"paused": 0}, create=False))

    def _delete_queue(self, name: str) -> Action[None]:
        """Forget a queue's limits; what is on it stays, and starts without limits."""
        check_definition_name(name, "a queue's name")
        return change("delete_queue", lambda _: queues.remove(name))

    enqueue_many = blocking(_enqueue_many)
    enqueue_many_async = awaiting(_enqueue_many)
    create_queue = blocking(_create_queue)
    create_queue_async = awaiting(_create_queue)
    update_queue = blocking(_update_queue)
    update_queue_async = awaiting(_update_queue)
    list_queues = blocking(_list_queues)
    list_queues_async = awaiting(_list_queues)
    pause_queue = blocking(_pause_queue)
    pause_queue_async = awaiting(_pause_queue)
    resume_queue = blocking(_resume_queue)
    resume_queue_async = awaiting(_resume_queue)
    delete_queue = blocking(_delete_queue)
    delete_queue_async = awaiting(_delete_queue)


def _info(row: QueueRow) -> QueueInfo:
    rate = None if row.rate_limit is None else RateLimit(row.rate_limit, (row.rate_period_us or 0) / 1_000_000)
    return QueueInfo(
        row.name, row.worker_concurrency, row.global_concurrency, rate, bool(row.priority_enabled),
        row.partition_concurrency, row.max_tasks_per_iteration, bool(row.paused),
    )  # fmt: skip


def _debounce(
    workflow: BaseWorkflow[Any, Any], key: str, period: Duration, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Action[WorkflowHandle[Any]]:
    check_name(key, "a debounce key", 150)
    request = debounce_request(workflow, key, duration_us(period, "period"), args, kwargs)
    return Action(
        "debounce",
        lambda runtime: debouncing.outside(runtime, request),
        lambda execution, number: debouncing.inside(execution, number, request),
        lambda runtime, workflow_id: WorkflowHandle(workflow_id, runtime),
    )
