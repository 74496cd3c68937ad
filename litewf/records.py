"""What callers get to see of a workflow and its steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from litewf.durations import Duration, duration_us, positive

T = TypeVar("T")

Status = Literal["DELAYED", "ENQUEUED", "PENDING", "SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
STATUSES: tuple[Status, ...] = (
    "DELAYED",
    "ENQUEUED",
    "PENDING",
    "SUCCESS",
    "ERROR",
    "CANCELLED",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
)
TERMINAL: frozenset[str] = frozenset(STATUSES[3:])


class WorkflowInput(NamedTuple):
    """The arguments that a workflow was started with."""

    args: Sequence[object]
    kwargs: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `limit` starts in any `period`, in seconds or as a timedelta."""

    limit: int
    period: Duration

    def __post_init__(self) -> None:
        positive(self.limit, "the limit of a rate limit")
        if self.period_us <= 0:
            raise ValueError("the period of a rate limit must be longer than 0 seconds")

    @property
    def period_us(self) -> int:
        """The period in microseconds."""
        return duration_us(self.period, "the period of a rate limit")


@dataclass(frozen=True, slots=True)
class Retention:
    """Which finished workflows are kept: those that ended within `age`, and of these the `count` newest."""

    age: Duration | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        if self.age is None and self.count is None:
            raise ValueError("give a Retention an age, a count, or both")
        if self.age is not None:
            duration_us(self.age, "the age of a retention")
        if self.count is not None:
            positive(self.count, "the count of a retention")


@dataclass(frozen=True, slots=True)
class QueueInfo:
    """The limits of a queue as the file has them; None where there is none."""

    name: str
    worker_concurrency: int | None
    global_concurrency: int | None
    rate_limit: RateLimit | None
    priority_enabled: bool
    partition_concurrency: int | None
    max_tasks_per_iteration: int | None
    paused: bool


OnMissed = Literal["skip", "once", "all"]
Overlap = Literal["allow", "skip", "buffer_one"]


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """A schedule as the file has it.

    `next_at` is the intended time of the next tick, None if none ever comes; `last_at` that of the last one that ran.
    """

    name: str
    workflow: str
    cron: str
    timezone: str
    on_missed: OnMissed
    catch_up: timedelta | None
    overlap: Overlap
    jitter: timedelta
    queue: str | None
    in_code: bool
    paused: bool
    next_at: datetime | None
    last_at: datetime | None


class Message(NamedTuple):
    """One message for send_bulk."""

    workflow_id: str
    message: object
    topic: str | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class StreamItem(Generic[T]):
    """One value of a stream.

    `attempt` is that of the step that wrote it, 1 for the workflow itself. `recorded` tells whether that attempt is the
    one on record, as far as it was known when the value was read: a step that is attempted again writes again.
    """

    offset: int
    value: T
    attempt: int
    recorded: bool


@dataclass(frozen=True, slots=True)
class CloudEvent:
    """One CloudEvent for publish_events; without an id it gets one of its own."""

    type: str
    source: str
    data: object
    subject: str | None = None
    id: str | None = None
    time: datetime | None = None
    datacontenttype: str | None = "application/json"
    dataschema: str | None = None
    extensions: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class ReceivedEvent(Generic[T]):
    """A CloudEvent that a workflow waited for; `extensions` are the attributes beyond the standard ones."""

    type: str
    source: str
    id: str
    time: datetime | None
    subject: str | None
    datacontenttype: str | None
    dataschema: str | None
    extensions: Mapping[str, object]
    data: T


class Waiting(NamedTuple):
    """One thing that a parked workflow waits for, and until when (None: without limit)."""

    step_id: str
    what: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class WorkflowStatus:
    """One workflow as the file has it now."""

    workflow_id: str
    name: str
    status: Status
    held: str | None
    waiting_on: tuple[Waiting, ...]
    input: WorkflowInput | None
    output: Any
    error: BaseException | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    deadline: datetime | None
    timeout: timedelta | None
    executor_id: str | None
    application_version: str | None
    attempts: int
    generation: int
    queue_name: str | None
    priority: int | None
    deduplication_id: str | None
    partition_key: str | None
    parent_id: str | None
    forked_from: str | None
    authenticated_user: str | None
    authenticated_roles: tuple[str, ...]
    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class StepInfo:
    """One recorded step of a workflow; `completed_at` is None while it is waiting or being retried."""

    step_id: str
    name: str
    output: Any
    error: BaseException | None
    attempts: int
    child_workflow_id: str | None
    started_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowFilter:
    """Which workflows to list; every field that is given must match, a sequence matches any of its members.

    `start_time` and `end_time` are about `created_at`; `attributes` matches top-level keys; `executor_id` is where a
    workflow is in memory now.
    """

    workflow_ids: Sequence[str] | None = None
    workflow_id_prefix: str | None = None
    status: Status | Sequence[Status] | None = None
    held: bool | None = None
    name: str | Sequence[str] | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    completed_after: datetime | None = None
    completed_before: datetime | None = None
    user: str | None = None
    application_version: str | None = None
    executor_id: str | None = None
    queue_name: str | Sequence[str] | None = None
    deduplication_id: str | None = None
    queues_only: bool = False
    attributes: Mapping[str, object] | None = None
    parent_id: str | None = None
    forked_from: str | None = None
    limit: int | None = None
    offset: int = 0
    sort_desc: bool = False
    load_input: bool = True
    load_output: bool = True
