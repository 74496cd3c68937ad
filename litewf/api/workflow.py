"""`@workflow`: decorated functions, with the options of a start."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

from litewf.api.naming import describe
from litewf.definitions import ScheduleDefinition, WorkflowDefinition
from litewf.durations import Duration, optional_duration_us, positive
from litewf.engine import calls, results, starting
from litewf.engine.attributes import encode_attributes
from litewf.engine.execution import FRAME, Branch, Execution
from litewf.engine.requests import Flow
from litewf.engine.starting import StartOptions, StartRequest, check_workflow_id
from litewf.errors import NotInWorkflowError, RegistrationError
from litewf.registry import Registry, check_definition_name, check_name

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
DURATIONS = ("timeout", "delay", "max_delay")  # options that are times


class WorkflowOptions(TypedDict, total=False):
    """How a start differs from the default; options add up.

    `workflow_id` makes the start idempotent: the first one runs, later ones attach to it, or raise
    DuplicateWorkflowError with `on_existing_id="reject"`. `timeout` counts from the start to the end and is inherited
    by children; a `detached` child is free of its parent's deadline and cancel. `attributes` can be searched for.

    With a `queue` the workflow waits for its turn; a lower `priority` comes first, none before all. While a workflow
    with the same `deduplication_id` has not ended there, another one raises DuplicateWorkflowError, or gets its handle
    with `on_duplicate="return_existing"`. Workflows with one `partition_key` share the queue's `partition_concurrency`.
    `delay` is how long it may not start; `max_delay` is for how long at most `debounce` puts it off.
    """

    workflow_id: str | None
    timeout: Duration | None
    detached: bool
    application_version: str | None
    authenticated_user: str | None
    authenticated_roles: Sequence[str] | None
    attributes: Mapping[str, object] | None
    on_existing_id: Literal["attach", "reject"]
    queue: str | None
    priority: int | None
    deduplication_id: str | None
    on_duplicate: Literal["raise", "return_existing"]
    partition_key: str | None
    delay: Duration | None
    max_delay: Duration | None


class BaseWorkflow(Generic[P, R_co]):
    """What sync and async workflows share; R is the awaited result."""

    def __init__(
        self,
        definition: WorkflowDefinition,
        registry: Registry,
        options: StartOptions = starting.DEFAULTS,
        receiver: str | None = None,
    ) -> None:
        self._definition = definition
        self._registry = registry
        self._options = options
        self._receiver = receiver
        self.__name__ = getattr(definition.fn, "__name__", definition.name)
        self.__qualname__ = definition.name
        self.__doc__ = definition.fn.__doc__
        self.__wrapped__ = definition.fn
        self._label = f"workflow {self.__name__}"
        self._fitting: set[int] = set()  # so many arguments are known to fit

    @property
    def name(self) -> str:
        """The name under which the workflow is registered and recorded."""
        return self._definition.name

    @property
    def registry(self) -> Registry:
        """Where it is registered."""
        return self._registry

    @property
    def options(self) -> StartOptions:
        """How it is started."""
        return self._options

    @property
    def fn(self) -> Callable[..., Any]:
        """The plain function, to call it undurably; that of a method takes the object or class first."""
        return cast("Callable[..., Any]", getattr(self._definition.fn, "__func__", self._definition.fn))

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"

    def request(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> StartRequest:
        """A start of this workflow; wrong arguments raise TypeError here, before anything is written."""
        if kwargs or len(args) not in self._fitting:
            check_arguments(self._definition.fn, args, kwargs, bound=self._receiver is not None)
            if not kwargs:
                self._fitting.add(len(args))
        if self._options is not starting.DEFAULTS:
            refuse_without_meaning(self._options)
        return StartRequest(self._definition, self._options, self._receiver, args, kwargs)

    def add_schedule(self, schedule: ScheduleDefinition) -> None:
        """Let the program that defines this workflow run it at the times of a schedule."""
        self._registry.add_schedule(schedule, self._definition)

    def on_queue(self, queue: str, **changes: Any) -> BaseWorkflow[P, R_co]:
        """The same workflow, to be started from a queue."""
        return self._copy(self._options._replace(queue=queue, **changes), self._receiver)

    def _copy(self, options: StartOptions, receiver: str | None) -> BaseWorkflow[P, R_co]:
        return type(self)(self._definition, self._registry, options, receiver)

    def _bind(self, instance: object, owner: type | None) -> BaseWorkflow[Any, R_co]:
        if isinstance(self._definition.fn, classmethod):
            cls = owner if instance is None else type(instance)
            assert cls is not None
            return self._copy(self._options, f"class:{cls.__qualname__}")
        if instance is None:
            return self
        name = self._registry.instance_name(instance)
        if name is None:
            raise RegistrationError(
                f"workflow {self.name!r} is a method of an object that no recovery could find again; name the object"
                ' before launch: registry.instance("eu", Shop(...))'
            )
        return self._copy(self._options, f"instance:{name}")

    def _child(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> StartRequest:
        if FRAME.get() is None:
            raise NotInWorkflowError(
                f"workflow {self.name!r} was called outside a workflow, where it would not be durable; use"
                f" engine.run_workflow({self.__name__}, ...), or {self.__name__}.fn for the plain function"
            )
        return self.request(args, kwargs)

    def _changed(self, options: WorkflowOptions) -> StartOptions:
        return _with_changes(self._options, options)


def _with_changes(before: StartOptions, options: WorkflowOptions) -> StartOptions:
    """The start options with some of them changed, checked."""
    unknown = set(options) - set(WorkflowOptions.__annotations__)
    if unknown:
        raise TypeError(f"a workflow has no option {', '.join(sorted(unknown))}")
    changes: dict[str, Any] = {name: value for name, value in options.items() if name not in DURATIONS}
    for name in DURATIONS:
        if name in options:
            changes[f"{name}_us"] = optional_duration_us(cast("Duration | None", options.get(name)), name)
    if (roles := options.get("authenticated_roles")) is not None:
        changes["authenticated_roles"] = _checked_roles(roles)
    changed = before._replace(**changes)
    _check_options(changed)
    return changed


def _checked_roles(roles: Sequence[str]) -> tuple[str, ...]:
    if isinstance(roles, str):
        raise TypeError("authenticated_roles is a list of role names, not one text")
    return tuple(check_name(role, "an authenticated role") for role in roles)


def _check_options(options: StartOptions) -> None:
    if options.on_existing_id not in ("attach", "reject"):
        raise ValueError(f'on_existing_id is "attach" or "reject", not {options.on_existing_id!r}')
    if options.workflow_id is not None:
        check_workflow_id(options.workflow_id)
    if options.application_version is not None:
        check_name(options.application_version, "application_version")
    if options.attributes is not None:
        encode_attributes(options.attributes)
    if not isinstance(options.detached, bool):
        raise TypeError(f"detached is True or False, not {options.detached!r}")
    if options.authenticated_user is not None:
        check_name(options.authenticated_user, "authenticated_user")
    _check_queue_options(options)


def _check_queue_options(options: StartOptions) -> None:
    if options.queue is not None:
        check_definition_name(options.queue, "a queue's name")
    if options.priority is not None:
        positive(options.priority, "priority")
    for name in ("deduplication_id", "partition_key"):
        if getattr(options, name) is not None:
            check_name(getattr(options, name), name)
    if options.on_duplicate not in ("raise", "return_existing"):
        raise ValueError(f'on_duplicate is "raise" or "return_existing", not {options.on_duplicate!r}')


def refuse_without_meaning(options: StartOptions) -> None:
    """Raise ValueError for an option that says nothing about this start."""
    if options.max_delay_us is not None:
        raise ValueError("max_delay has a meaning only for debounce(); use delay=... to start a workflow later")
    if options.queue is not None:
        return
    for name in ("priority", "deduplication_id", "partition_key", "delay_us"):
        if getattr(options, name) is not None:
            raise ValueError(
                f"{name.removesuffix('_us')} has a meaning only on a queue: give queue=..., or use enqueue()"
            )


def child_result(execution: Execution, number: str, request: StartRequest, branch: Branch) -> Flow[Any]:
    """Call a workflow: start the child, then wait for its result; two durable calls, numbered when it is called."""
    return _start_and_wait(execution, number, branch.next_number(), request)


def _start_and_wait(execution: Execution, number: str, result_number: str, request: StartRequest) -> Flow[Any]:
    workflow_id = yield from starting.start_child(execution, number, request)
    return (yield from results.result(execution, result_number, workflow_id, results.NO_LIMIT))


class Workflow(BaseWorkflow[P, R_co]):
    """A durable function. Inside a workflow, calling it runs a child; outside, `engine.run_workflow(...)` does."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run it as a child workflow and return its result."""
        request = self._child(args, kwargs)
        branch = calls.sync_branch(self._label)
        result: R_co = calls.blocking(self._label, child_result, request, branch)
        return result

    def with_options(self, **options: Unpack[WorkflowOptions]) -> Workflow[P, R_co]:
        """The same workflow, to be started with these options; WorkflowOptions describes them."""
        return Workflow(self._definition, self._registry, self._changed(options), self._receiver)

    @overload
    def __get__(self, instance: None, owner: type) -> Workflow[P, R_co]: ...
    @overload
    def __get__(
        self: Workflow[Concatenate[Any, Q], R_co], instance: object, owner: type | None = None
    ) -> Workflow[Q, R_co]: ...
    def __get__(self, instance: object, owner: type | None = None) -> BaseWorkflow[Any, R_co]:
        return self._bind(instance, owner)


class AsyncWorkflow(BaseWorkflow[P, R_co]):
    """A durable coroutine function; see Workflow."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """Run it as a child workflow; await its result."""
        request = self._child(args, kwargs)
        branch = calls.async_branch(self._label)
        return calls.awaitable(self._label, child_result, request, branch)

    def with_options(self, **options: Unpack[WorkflowOptions]) -> AsyncWorkflow[P, R_co]:
        """The same workflow, to be started with these options; WorkflowOptions describes them."""
        return AsyncWorkflow(self._definition, self._registry, self._changed(options), self._receiver)

    @overload
    def __get__(self, instance: None, owner: type) -> AsyncWorkflow[P, R_co]: ...
    @overload
    def __get__(
        self: AsyncWorkflow[Concatenate[Any, Q], R_co], instance: object, owner: type | None = None
    ) -> AsyncWorkflow[Q, R_co]: ...
    def __get__(self, instance: object, owner: type | None = None) -> BaseWorkflow[Any, R_co]:
        return self._bind(instance, owner)


class WorkflowDecorator:
    """Makes functions workflows; call it with options or directly on a function."""

    def __init__(self, registry: Registry, name: str | None = None, max_recovery_attempts: int = 100) -> None:
        self._registry = registry
        self._name = name
        self._max_recovery_attempts = max_recovery_attempts

    @overload
    def __call__(  # type: ignore[overload-overlap]  # the first that fits is meant
        self, fn: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncWorkflow[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Workflow[P, R]: ...
    @overload
    def __call__(self, name: str, /, *, max_recovery_attempts: int = 100) -> WorkflowDecorator: ...
    @overload
    def __call__(self, *, name: str | None = None, max_recovery_attempts: int = 100) -> WorkflowDecorator: ...
    def __call__(  # type: ignore[misc]  # a function or a name, told apart below
        self, fn: Any = None, /, *, name: str | None = None, max_recovery_attempts: int = 100
    ) -> Any:
        """Decorate a function, or return a decorator with options.

        A workflow whose process dies `max_recovery_attempts` times in a row without a new step is given up.
        """
        if fn is None or isinstance(fn, str):
            name = name if fn is None else fn
            if name is not None:
                check_name(name, "a workflow's name")
            if isinstance(max_recovery_attempts, bool) or not isinstance(max_recovery_attempts, int):
                raise TypeError(f"max_recovery_attempts is a whole number, not {max_recovery_attempts!r}")
            if max_recovery_attempts < 1:
                raise ValueError(f"max_recovery_attempts must be 1 or more, not {max_recovery_attempts}")
            return WorkflowDecorator(self._registry, name, max_recovery_attempts)
        return self._decorate(fn)

    def _decorate(self, fn: Callable[..., Any]) -> BaseWorkflow[Any, Any]:
        described = describe(fn, self._name, "workflow")
        definition = WorkflowDefinition(
            described.name, described.module, fn, described.is_async, self._max_recovery_attempts,
            described.is_function, described.owner,
        )  # fmt: skip
        self._registry.add(definition)
        kind = AsyncWorkflow if described.is_async else Workflow
        return kind(definition, self._registry)


def check_arguments(fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], *, bound: bool) -> None:
    """Raise TypeError when the function does not take these arguments."""
    plain = getattr(fn, "__func__", fn)
    code = getattr(plain, "__code__", None)
    count = len(args) + bound
    if code is not None and not kwargs and not code.co_kwonlyargcount and not code.co_flags & inspect.CO_VARARGS:
        defaults = plain.__defaults__
        if code.co_argcount - (len(defaults) if defaults else 0) <= count <= code.co_argcount:
            return  # the common case, a hundred times faster than a signature
    try:
        inspect.signature(plain).bind(*([None] * bound), *args, **kwargs)
    except TypeError as error:
        raise TypeError(f"workflow {getattr(plain, '__qualname__', plain)}: {error}") from None
