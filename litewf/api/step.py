"""`@step`: functions whose outcome is recorded, and `run_step` for any function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Concatenate, Generic, ParamSpec, TypedDict, TypeVar, Unpack, cast, overload

from litewf.api.naming import describe
from litewf.definitions import OnUncertain, StepDefinition
from litewf.durations import Duration, duration_us, optional_duration_us
from litewf.engine import calls, steps
from litewf.engine.execution import FRAME, NO_KWARGS, Branch
from litewf.registry import Registry, check_definition_name
from litewf.retry import RetryOn, RetryPolicy

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class StepOptions(TypedDict, total=False):
    """The rules of a step, all optional.

    `max_retries=3` is up to four attempts, `base_interval`, growing by `backoff_factor` up to `max_interval`, apart,
    each spread by ±`jitter` (0 to 1). `retry_on` is exception types or a predicate. `timeout` is for each attempt.
    `on_uncertain` decides when the process died inside the body: "rerun", "fail", or a probe that is called with the
    step's parameters and returns the result, or `litewf.NOT_DONE`. `cancellable` lets a cancel stop an async body.
    """

    name: str | None
    max_retries: int
    base_interval: Duration
    backoff_factor: float
    max_interval: Duration
    jitter: float
    retry_on: RetryOn
    timeout: Duration | None
    on_uncertain: OnUncertain
    cancellable: bool


class BaseStep(Generic[P, R_co]):
    """What sync and async steps share."""

    def __init__(self, definition: StepDefinition) -> None:
        self._definition = definition
        self._label = f"step {definition.name}"
        self.__name__ = getattr(definition.fn, "__name__", definition.name)
        self.__qualname__ = definition.name
        self.__doc__ = definition.fn.__doc__
        self.__wrapped__ = definition.fn

    @property
    def name(self) -> str:
        """The name under which outcomes are recorded."""
        return self._definition.name

    @property
    def fn(self) -> Callable[..., Any]:
        """The plain function."""
        return self._definition.fn

    @property
    def definition(self) -> StepDefinition:
        return self._definition

    def __repr__(self) -> str:
        return f"<step {self.name}>"


class Step(BaseStep[P, R_co]):
    """A function whose outcome is recorded when a workflow calls it; elsewhere a plain function."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        definition = self._definition
        if type(FRAME.get()) is not Branch:
            return cast("R_co", definition.fn(*args, **kwargs))
        return cast("R_co", calls.blocking_step(self._label, definition, args, kwargs))

    def with_options(self, **options: Unpack[StepOptions]) -> Step[P, R_co]:
        """The same step with other rules."""
        return Step(changed(self._definition, options))

    @overload
    def __get__(self, instance: None, owner: type) -> Step[P, R_co]: ...
    @overload
    def __get__(
        self: Step[Concatenate[Any, Q], R_co], instance: object, owner: type | None = None
    ) -> Step[Q, R_co]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Step[Any, R_co]:
        return Step(bound(self._definition, instance, owner)) if is_bound(self._definition, instance) else self


class AsyncStep(BaseStep[P, R_co]):
    """A coroutine function whose outcome is recorded when an async workflow awaits it."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        definition = self._definition
        frame = FRAME.get()
        if type(frame) is not Branch:
            return cast("Coroutine[Any, Any, R_co]", definition.fn(*args, **kwargs))
        return calls.awaitable_step(self._label, frame, definition, args, kwargs or NO_KWARGS)

    def with_options(self, **options: Unpack[StepOptions]) -> AsyncStep[P, R_co]:
        """The same step with other rules."""
        return AsyncStep(changed(self._definition, options))

    @overload
    def __get__(self, instance: None, owner: type) -> AsyncStep[P, R_co]: ...
    @overload
    def __get__(
        self: AsyncStep[Concatenate[Any, Q], R_co], instance: object, owner: type | None = None
    ) -> AsyncStep[Q, R_co]: ...
    def __get__(self, instance: object, owner: type | None = None) -> AsyncStep[Any, R_co]:
        return AsyncStep(bound(self._definition, instance, owner)) if is_bound(self._definition, instance) else self


class StepDecorator:
    """Makes functions steps; call it with options or directly on a function."""

    def __init__(self, registry: Registry, options: StepOptions | None = None) -> None:
        self._registry = registry
        self._options: StepOptions = options or {}

    @overload
    def __call__(  # type: ignore[overload-overlap]  # the first that fits is meant
        self, fn: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncStep[P, R]: ...
    @overload
    def __call__(self, fn: Callable[P, R], /) -> Step[P, R]: ...
    @overload
    def __call__(self, name: str, /, **options: Unpack[StepOptions]) -> StepDecorator: ...
    @overload
    def __call__(self, **options: Unpack[StepOptions]) -> StepDecorator: ...
    def __call__(  # type: ignore[misc]  # a function or a name, told apart below
        self, fn: Any = None, /, **options: Unpack[StepOptions]
    ) -> Any:
        """Decorate a function, or return a decorator with options; StepOptions describes them."""
        if fn is None or isinstance(fn, str):
            chosen = cast("StepOptions", options if fn is None else {**options, "name": fn})
            policy(RetryPolicy(), chosen)  # wrong options are refused here
            return StepDecorator(self._registry, chosen)
        described = describe(fn, self._options.get("name"), "step")
        plain = StepDefinition(described.name, described.module, fn, described.is_async)
        definition = changed(plain, self._options)
        self._registry.add(definition)
        return AsyncStep(definition) if described.is_async else Step(definition)


# --- options ------------------------------------------------------------------------------------------------------


def changed(definition: StepDefinition, options: StepOptions) -> StepDefinition:
    """A definition with other rules."""
    name, on_uncertain = options.get("name"), options.get("on_uncertain", definition.on_uncertain)
    if not callable(on_uncertain) and on_uncertain not in ("rerun", "fail"):
        raise ValueError(f'on_uncertain is "rerun", "fail" or a function, not {on_uncertain!r}')
    if options.get("cancellable") and not definition.is_async:
        raise ValueError(f"step {definition.name}: only an async body can be cancelled while it runs")
    timeout_us = definition.timeout_us
    if "timeout" in options:
        timeout_us = optional_duration_us(options["timeout"], "timeout")
    return replace(
        definition,
        name=definition.name if name is None else check_definition_name(name, "a step's name"),
        policy=policy(definition.policy, options),
        timeout_us=timeout_us,
        on_uncertain=on_uncertain,
        cancellable=options.get("cancellable", definition.cancellable),
    )


def policy(known: RetryPolicy, options: StepOptions) -> RetryPolicy:
    """A retry policy with some rules changed, checked."""
    unknown = set(options) - set(StepOptions.__annotations__)
    if unknown:
        raise TypeError(f"a step has no option {', '.join(sorted(unknown))}")
    changes: dict[str, Any] = {}
    for option, field in (("base_interval", "base_interval_us"), ("max_interval", "max_interval_us")):
        if option in options:
            changes[field] = duration_us(cast("Mapping[str, Duration]", options)[option], option)
    limits: Sequence[tuple[str, float, float]] = (
        ("max_retries", 0, 1_000_000), ("backoff_factor", 1, 1000), ("jitter", 0, 1),
    )  # fmt: skip
    for option, low, high in limits:
        if option in options:
            number = cast("Mapping[str, float]", options)[option]
            _check_number(option, number, low, high)
            changes[option] = number
    if "retry_on" in options:
        changes["retry_on"] = _checked_retry_on(options["retry_on"])
    return known._replace(**changes)


def _check_number(option: str, number: float, low: float, high: float) -> None:
    wanted: tuple[type, ...] = (int,) if option == "max_retries" else (int, float)
    if isinstance(number, bool) or not isinstance(number, wanted):
        raise TypeError(f"{option} is a number, not {number!r}")
    if not low <= number <= high:
        raise ValueError(f"{option} must be between {low:g} and {high:g}, not {number!r}")


def _checked_retry_on(retry_on: RetryOn) -> RetryOn:
    if callable(retry_on) and not isinstance(retry_on, type):
        return retry_on
    kinds: tuple[object, ...] = retry_on if isinstance(retry_on, tuple) else (retry_on,)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError(f"retry_on is an exception type, a tuple of them, or a predicate, not {kind!r}")
    return retry_on


def is_bound(definition: StepDefinition, instance: object) -> bool:
    """Whether looking the step up on an object or a class gives a method of it."""
    return instance is not None or isinstance(definition.fn, classmethod)


def bound(definition: StepDefinition, instance: object, owner: type | None) -> StepDefinition:
    """A step that is a method, bound to its object or class."""
    return replace(definition, fn=definition.fn.__get__(instance, owner))


# --- any function -------------------------------------------------------------------------------------------------


def as_definition(fn: Callable[..., Any]) -> StepDefinition:
    """A step definition for any function."""
    if isinstance(fn, BaseStep):
        return fn.definition
    if not callable(fn):
        raise TypeError(f"run_step takes a function, not {type(fn).__name__}")
    inner = fn
    while isinstance(inner, partial):
        inner = inner.func
    described = describe(inner, None, "step")
    return StepDefinition(described.name, described.module, fn, described.is_async)


@overload
def run_step(fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
@overload
def run_step(fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R: ...
def run_step(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Run any function as a step of this sync workflow; an async one runs on the engine's loop."""
    return calls.blocking("run_step", steps.step, as_definition(fn), args, kwargs)


@overload
def run_step_async(fn: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]: ...
@overload
def run_step_async(fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]: ...
def run_step_async(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Run any function as a step of this async workflow; a sync one runs in a worker thread."""
    return calls.awaitable("run_step_async", steps.step, as_definition(fn), args, kwargs)
