"""One engine from its launch to its end, natural or not, with the workflows of a scenario."""

import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, overload

import litewf
from litewf.serialization import JsonSerializer, Serializer, TypeTable
from litewf.testing import MortalEngine, SimulatedDeath, VirtualClock
from litewf.testing.clock import FOREVER_US
from tests.crash.ledger import Ledger, Receipt

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
JOIN_S = 5.0


class Life:
    """A mortal engine, with what a scenario defines and does."""

    def __init__(
        self,
        path: Path,
        clock: VirtualClock,
        ledger: Ledger,
        *,
        crash_at: int | None,
        linger: float | None,
        vfs: str | None = None,
        watch: Callable[[str], object] | None = None,
        callers: bool = True,
        codec: Callable[[TypeTable], Serializer] = JsonSerializer,
    ) -> None:
        self.ledger = ledger
        self.clock = clock
        self.registry = litewf.Registry()
        self._number = ledger.life
        self._with_callers = callers  # a thread for each workflow that waits for its result
        self._callers: list[threading.Thread] = []
        self._others = set(threading.enumerate())
        self.engine = MortalEngine(
            path, registry=self.registry, clock=clock, die_at=crash_at, linger=linger, application_version="1",
            max_threads=20, durability="full", vfs=vfs, watch=watch, serializer=codec(self.registry.types),
        )  # fmt: skip

    @property
    def death(self) -> SimulatedDeath | None:
        return self.engine.death

    # --- living and dying -------------------------------------------------------------------------------------

    def run(self, drive: Callable[[litewf.Engine], None]) -> bool:
        """Launch, do what the scenario does from outside, shut down; whether it died on the way."""
        died = self.engine.live(drive)
        self._check_nothing_hangs()
        return died

    def _check_nothing_hangs(self) -> None:
        for caller in self._callers:
            caller.join(JOIN_S)
            if caller.is_alive():
                self.ledger.fail("a caller of get_result() was left waiting")
        left = [thread for thread in set(threading.enumerate()) - self._others if thread.name.startswith("litewf-")]
        for thread in left:
            thread.join(JOIN_S)  # one that has done its last work is listed for a moment longer
            if thread.is_alive():
                self.ledger.fail(f"a thread outlived the engine: {thread.name}")

    # --- acting from outside ----------------------------------------------------------------------------------

    def settle(self, until_us: int = FOREVER_US) -> None:
        """Let everything happen that can happen before `until_us`."""
        self.engine.drain_us(until_us)

    def drive_to_rest(self, _engine: litewf.Engine) -> None:
        """The scenario in which nothing comes from outside."""
        self.settle()

    def start(self, workflow: Any, workflow_id: str, *args: Any, **options: Any) -> Any:
        """Start it unless it exists; the handle. Some other thread waits for the result."""
        handle = self.engine.start_workflow(workflow.with_options(workflow_id=workflow_id, **options), *args)
        self.ledger.acknowledged.add(f"started {workflow_id}")
        if self._with_callers:
            caller = threading.Thread(target=_wait_for, args=(handle,), daemon=True)
            self._callers.append(caller)
            caller.start()
        return handle

    # --- acting inside workflows ------------------------------------------------------------------------------

    def workflow(self, fn: Callable[..., Any]) -> Any:
        return self.registry.workflow(name=fn.__name__)(fn)

    @overload
    def step(self, fn: F, /) -> F: ...
    @overload
    def step(self, **options: Any) -> Callable[[F], F]: ...
    def step(self, fn: Any = None, **options: Any) -> Any:
        """A step whose executions are in the ledger; call it in the workflow to get the value."""
        if fn is None:
            return functools.partial(self.step, **options)
        allowed = 1 + options.get("max_retries", 0)
        if inspect.iscoroutinefunction(fn):
            inner = self.registry.step(name=fn.__name__, **options)(self._async_body(fn, allowed))
            return self._async_caller(fn.__name__, inner)
        inner = self.registry.step(name=fn.__name__, **options)(self._body(fn, allowed))
        return self._caller(fn.__name__, inner)

    def transaction(self, fn: Callable[..., Any]) -> Any:
        """A transaction whose executions are in the ledger."""
        return self._caller(fn.__name__, self.registry.transaction(name=fn.__name__)(self._body(fn, 1, skip=1)))

    def note(self, label: str, value: T) -> T:
        """The workflow has this value, and it is durable."""
        self.ledger.note(litewf.workflow_id(), label, value)
        return value

    def note_here(self, label: str, value: T) -> T:
        """The workflow has this value; only a death may still change it."""
        return self.note(f"{label} in life {self._number}", value)

    @contextmanager
    def _recorded(self, name: str, args: tuple[Any, ...], allowed: int) -> Iterator[Receipt]:
        self.engine.raise_if_dead()  # a dead process starts nothing
        key, attempt = litewf.idempotency_key(), litewf.attempt()
        run = self.ledger.begin(key, litewf.workflow_id(), _call(name, args), attempt, allowed, self.clock.now_us())
        try:
            yield Receipt(key, run)
        finally:
            self.ledger.end(key, run, self._number)

    def _body(self, fn: Callable[..., Any], allowed: int, skip: int = 0) -> Callable[..., Any]:
        def body(*args: Any) -> tuple[Receipt, Any]:
            with self._recorded(fn.__name__, args[skip:], allowed) as receipt:
                return receipt, fn(*args)

        return body

    def _async_body(self, fn: Callable[..., Awaitable[Any]], allowed: int) -> Callable[..., Awaitable[Any]]:
        async def body(*args: Any) -> tuple[Receipt, Any]:
            with self._recorded(fn.__name__, args, allowed) as receipt:
                return receipt, await fn(*args)

        return body

    def _caller(self, name: str, inner: Any) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            with self._outcome(name, args):
                receipt, value = inner(*args)
            self.ledger.saw(receipt)
            return value

        async def run_async(*args: Any) -> Any:
            with self._outcome(name, args):
                receipt, value = await inner.run_async(*args)
            self.ledger.saw(receipt)
            return value

        call.run_async = run_async  # type: ignore[attr-defined]  # of transactions, as litewf has it
        return call

    def _async_caller(self, name: str, inner: Any) -> Callable[..., Any]:
        async def call(*args: Any) -> Any:
            with self._outcome(name, args):
                receipt, value = await inner(*args)
            self.ledger.saw(receipt)
            return value

        call.inner = inner  # type: ignore[attr-defined]  # the durable call itself, for gather
        return call

    @contextmanager
    def _outcome(self, name: str, args: tuple[Any, ...]) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.ledger.saw_failure(litewf.workflow_id(), _call(name, args), error)
            raise


def bare(step: Callable[..., Any]) -> Any:
    """The step as litewf knows it, for those who want the durable call itself."""
    return step.inner  # type: ignore[attr-defined]  # put there by Life.step


def _call(name: str, args: tuple[Any, ...]) -> str:
    return f"{name}{args!r}"


def _wait_for(handle: Any) -> None:
    try:
        handle.get_result()
    except BaseException:
        return
