"""`@workflow`: decorated functions, with the options of a start."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any, Concatenate, Generic, Literal, ParamSpec, TypeVar, cast, overload

from litewf.api.naming import describe
from litewf.definitions import WorkflowDefinition
from litewf.durations import Duration, optional_duration_us
from litewf.engine import calls, results, starting
from litewf.engine.execution import FRAME, Branch, Execution
from litewf.engine.requests import Flow
from litewf.engine.starting import StartOptions, StartRequest, check_workflow_id
from litewf.errors import NotInWorkflowError, RegistrationError, UsageError
from litewf.registry import Registry, check_name

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


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

    @property
    def name(self) -> str:
        """The name under which the workflow is registered and recorded."""
        return self._definition.name

    @property
    def fn(self) -> Callable[..., Any]:
        """The plain function, to call it undurably; that of a method takes the object or class first."""
        return cast("Callable[..., Any]", getattr(self._definition.fn, "__func__", self._definition.fn))

    def __repr__(self) -> str:
        return f"<workflow {self.name}>"

    def request(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> StartRequest:
        """A start of this workflow; wrong arguments raise TypeError here, before anything is written."""
        check_arguments(self._definition.fn, args, kwargs, bound=self._receiver is not None)
        return StartRequest(self._definition, self._options, self._receiver, args, kwargs)

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

    def options(
        self,
        *,
        workflow_id: str | None,
        timeout: Duration | None,
        detached: bool,
        application_version: str | None,
        authenticated_user: str | None,
        authenticated_roles: Sequence[str] | None,
        attributes: Mapping[str, object] | None,
        on_existing_id: Literal["attach", "reject"],
    ) -> StartOptions:
        """Start options, checked."""
        if on_existing_id not in ("attach", "reject"):
            raise ValueError(f'on_existing_id is "attach" or "reject", not {on_existing_id!r}')
        if workflow_id is not None:
            check_workflow_id(workflow_id)
        if application_version is not None:
            check_name(application_version, "application_version")
        if attributes is not None:
            starting.encode_attributes(attributes)
        if not isinstance(detached, bool):
            raise TypeError(f"detached is True or False, not {detached!r}")
        if authenticated_user is not None:
            check_name(authenticated_user, "authenticated_user")
        if isinstance(authenticated_roles, str):
            raise TypeError("authenticated_roles is a list of role names, not one text")
        for role in authenticated_roles or ():
            check_name(role, "an authenticated role")
        return replace(
            self._options,
            workflow_id=workflow_id,
            timeout_us=optional_duration_us(timeout, "timeout"),
            detached=detached,
            application_version=application_version,
            authenticated_user=authenticated_user,
            authenticated_roles=None if authenticated_roles is None else tuple(authenticated_roles),
            attributes=attributes,
            on_existing_id=on_existing_id,
        )


def _child_result(execution: Execution, number: str, request: StartRequest, branch: Branch) -> Flow[Any]:
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
        result: R_co = calls.blocking(self._label, _child_result, request, branch)
        return result

    def with_options(
        self,
        *,
        workflow_id: str | None = None,
        timeout: Duration | None = None,
        detached: bool = False,
        application_version: str | None = None,
        authenticated_user: str | None = None,
        authenticated_roles: Sequence[str] | None = None,
        attributes: Mapping[str, object] | None = None,
        on_existing_id: Literal["attach", "reject"] = "attach",
    ) -> Workflow[P, R_co]:
        """The same workflow, to be started with these options.

        `workflow_id` makes the start idempotent: the first one runs, later ones attach to it, or raise
        DuplicateWorkflowError with `on_existing_id="reject"`. `timeout` counts from the start to the end and is
        inherited by children; a `detached` child is free of its parent's deadline and cancel.
        """
        options = self.options(
            workflow_id=workflow_id, timeout=timeout, detached=detached, application_version=application_version,
            authenticated_user=authenticated_user, authenticated_roles=authenticated_roles, attributes=attributes,
            on_existing_id=on_existing_id,
        )  # fmt: skip
        return Workflow(self._definition, self._registry, options, self._receiver)

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
        return calls.awaitable(self._label, _child_result, request, branch)

    def with_options(
        self,
        *,
        workflow_id: str | None = None,
        timeout: Duration | None = None,
        detached: bool = False,
        application_version: str | None = None,
        authenticated_user: str | None = None,
        authenticated_roles: Sequence[str] | None = None,
        attributes: Mapping[str, object] | None = None,
        on_existing_id: Literal["attach", "reject"] = "attach",
    ) -> AsyncWorkflow[P, R_co]:
        """The same workflow, to be started with these options; see Workflow.with_options."""
        options = self.options(
            workflow_id=workflow_id, timeout=timeout, detached=detached, application_version=application_version,
            authenticated_user=authenticated_user, authenticated_roles=authenticated_roles, attributes=attributes,
            on_existing_id=on_existing_id,
        )  # fmt: skip
        return AsyncWorkflow(self._definition, self._registry, options, self._receiver)

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
            described.name, described.module, fn, described.is_async, self._max_recovery_attempts, described.owner
        )
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


def request_of(workflow: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> StartRequest:
    """A start of what should be a workflow."""
    if not isinstance(workflow, BaseWorkflow):
        raise TypeError(f"only a function decorated with @workflow can be started, not {workflow!r:.80}")
    return workflow.request(args, kwargs)


def as_request(item: Any) -> StartRequest:
    """One item of `start_workflows`: a workflow and its arguments."""
    if isinstance(item, str) or not isinstance(item, Sequence) or not item or not isinstance(item[0], BaseWorkflow):
        raise UsageError("start_workflows takes tuples of a workflow and its arguments: [(checkout, order), ...]")
    return item[0].request(item[1:], {})
