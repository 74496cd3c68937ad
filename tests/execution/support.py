"""One body, two kinds of workflow: the tests of this folder say what happens once, and run it sync and async.

A body is a generator that yields calls: `yield do(charge, 5)` calls a step, `yield do.sleep(1)` calls `litewf.sleep`,
or awaits `litewf.sleep_async`, depending on the flavor that made the workflow.
"""

import threading
from collections.abc import Callable, Generator
from typing import Any

import litewf

Body = Callable[..., Generator[Callable[[], Any], Any, Any]]
LONG = 30  # seconds; no test waits this long unless it fails
NAP = 3600.0  # seconds that a workflow sleeps to leave memory and be replayed; the clock jumps over them
BAD_NAMES = ["", " ", "a ", "a\nb", "a\0b", "x" * 256, "\ud800", "\u202eabc"]


class Do:
    """Makes the calls of a body in the way of its flavor."""

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix

    def __call__(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[[], Any]:
        """Call anything: the result is awaited in an async workflow if it can be."""
        return lambda: fn(*args, **kwargs)

    def on(self, target: Any, name: str, *args: Any, **kwargs: Any) -> Callable[[], Any]:
        """Call a method of an engine or a handle, by its blocking name."""
        return lambda: getattr(target, name + self._suffix)(*args, **kwargs)

    def __getattr__(self, name: str) -> Callable[..., Callable[[], Any]]:
        return lambda *args, **kwargs: self.on(litewf, name, *args, **kwargs)


class Flavor:
    """How workflows and steps of one kind are made."""

    def __init__(self, *, is_async: bool) -> None:
        self.is_async = is_async
        self.do = Do("_async" if is_async else "")

    def __repr__(self) -> str:
        return "async" if self.is_async else "sync"

    def workflow(self, registry: litewf.Registry, **options: Any) -> Callable[[Body], Any]:
        """Make a body a workflow; it gets `do` first."""

        def decorate(body: Body) -> Any:
            run = self._async(body) if self.is_async else self._sync(body)
            run.__name__, run.__qualname__, run.__module__ = body.__name__, body.__name__, body.__module__
            return registry.workflow(**options)(run)

        return decorate

    def step(self, registry: litewf.Registry, **options: Any) -> Callable[[Callable[..., Any]], Any]:
        """Make a plain function a step."""

        def decorate(fn: Callable[..., Any]) -> Any:
            return registry.step(**{"name": fn.__name__, **options})(self.function(fn))

        return decorate

    def function(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        """A plain function, or a coroutine function that does the same."""
        if not self.is_async:
            return fn

        async def run(*args: Any, **kwargs: Any) -> Any:
            return fn(*args, **kwargs)

        run.__name__, run.__qualname__, run.__module__ = fn.__name__, fn.__name__, fn.__module__
        return run

    def _sync(self, body: Body) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            calls = body(self.do, *args, **kwargs)
            try:
                call = next(calls)
                while True:
                    try:
                        answer = call()
                    except BaseException as error:
                        call = calls.throw(error)
                    else:
                        call = calls.send(answer)
            except StopIteration as stop:
                return stop.value

        return run

    def _async(self, body: Body) -> Callable[..., Any]:
        async def run(*args: Any, **kwargs: Any) -> Any:
            calls = body(self.do, *args, **kwargs)
            try:
                call = next(calls)
                while True:
                    try:
                        answer = call()
                        if hasattr(answer, "__await__"):
                            answer = await answer
                    except BaseException as error:
                        call = calls.throw(error)
                    else:
                        call = calls.send(answer)
            except StopIteration as stop:
                return stop.value

        return run


class Gate:
    """A step body stops here until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def wait(self) -> None:
        """In the body."""
        self.reached.set()
        assert self.opened.wait(LONG)

    def await_reached(self) -> None:
        """In the test."""
        assert self.reached.wait(LONG)

    def open(self) -> None:
        self.opened.set()


def names(engine: litewf.Engine, workflow_id: str) -> list[tuple[str, str]]:
    """Number and name of everything that a workflow recorded."""
    return [(step.step_id, step.name) for step in engine.list_steps(workflow_id)]


def until(check: Callable[[], object]) -> None:
    """Wait until something is true that nothing tells of."""
    never = threading.Event()
    while not check():
        never.wait(0.001)


def plus(x: int, y: int = 1) -> int:
    return x + y


async def plus_async(x: int, y: int = 1) -> int:
    return x + y


def caught(call: Callable[[], Any]) -> str:
    """What a call raises, as text."""
    try:
        call()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"
