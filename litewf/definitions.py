"""What a decorated function is to the engine: its name, its code and its rules."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from litewf.retry import RetryPolicy

OnUncertain = Literal["rerun", "fail"] | Callable[..., object]


class WorkflowDefinition(NamedTuple):
    """A function that the engine runs durably."""

    name: str
    module: str
    fn: Callable[..., Any]
    is_async: bool
    max_recovery_attempts: int
    is_function: bool = True  # outside of any class, or bound already
    owner: Callable[[], type | None] = lambda: None  # the class that a method was defined in

    @property
    def takes(self) -> Literal["class", "object"] | None:
        """What a method is called on; None as well where its class cannot be found."""
        if isinstance(self.fn, classmethod):
            return "class"
        owner = None if self.is_function else self.owner()
        is_static = owner is None or isinstance(vars(owner).get(self.fn.__name__), staticmethod)
        return None if is_static else "object"


@dataclass(frozen=True, slots=True)
class StepDefinition:
    """A function whose outcome is recorded when a workflow calls it."""

    name: str
    module: str
    fn: Callable[..., Any]
    is_async: bool
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    timeout_us: int | None = None
    on_uncertain: OnUncertain = "rerun"
    cancellable: bool = False
    once: bool = field(init=False, default=False)  # one attempt, recorded after it: the fast path
    in_task: bool = field(init=False, default=False)  # the body may run in the task of an async workflow

    def __post_init__(self) -> None:
        bounded = self.timeout_us is not None or self.cancellable
        once = not self.policy.max_retries and self.on_uncertain == "rerun" and not bounded
        object.__setattr__(self, "once", once)
        object.__setattr__(self, "in_task", self.is_async and not bounded)


class TransactionDefinition(NamedTuple):
    """A function whose SQL commits together with its record."""

    name: str
    module: str
    fn: Callable[..., Any]


class QueueDefinition(NamedTuple):
    """A queue and its limits, as the program defines it."""

    name: str
    worker_concurrency: int | None = None
    global_concurrency: int | None = None
    partition_concurrency: int | None = None
    rate_limit: int | None = None
    rate_period_us: int | None = None
    priority_enabled: bool = False
    max_tasks_per_iteration: int | None = None


class ScheduleDefinition(NamedTuple):
    """A workflow that is to run again and again, and when."""

    name: str
    workflow: str
    receiver: str | None  # names the object or class of a method
    cron: str
    timezone: str
    on_missed: str
    catch_up_us: int | None
    overlap: str
    jitter_us: int
    queue: str | None


Definition = WorkflowDefinition | StepDefinition | TransactionDefinition
