"""One engine from its launch to its end, natural or not, with the workflows of a scenario."""

import functools
import inspect
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, overload

import litewf
from litewf.engine.signals import Unwind
from litewf.world import Entropy, World
from tests.crash.ledger import Ledger, Receipt
from tests.crash.virtual_clock import FOREVER_US, Time, VirtualClock

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
JOIN_S = 5.0


class SimulatedDeath(Unwind):
    """The process was killed here.

    It unwinds executions as a lost workflow does: their code ends, and nothing of it is written.
    """

    def __init__(self, point: str) -> None:
        super().__init__("lost", f"killed at {point}")


class Life:
    """An engine that may die at its `crash_at`-th crash point."""

    def __init__(
        self,
        path: Path,
        time: Time,
        ledger: Ledger,
        *,
        crash_at: int | None,
        linger: float | None,
        vfs: str | None = None,
        callers: bool = True,
    ) -> None:
        self.ledger = ledger
        self.time = time
        self.registry = litewf.Registry()
        self.death: SimulatedDeath | None = None
        self.points = 0
        self._number = ledger.life
        self._crash_at = crash_at
        self._clock = VirtualClock(time, lambda: self.points)
        self._with_callers = callers  # a thread for each workflow that waits for its result
        self._callers: list[threading.Thread] = []
        self._others = set(threading.enumerate())
        world = World(self._clock, Entropy(1000 + self._number), self._reach, vfs)
        self.engine = litewf.Engine(
            path, registry=self.registry, world=world, application_version="1", linger=linger, max_threads=20
        )
        self._clock.attach(self.engine)

    # --- living and dying -------------------------------------------------------------------------------------

    def run(self, drive: Callable[[litewf.Engine], None]) -> bool:
        """Launch, do what the scenario does from outside, shut down; whether it died on the way."""
        with _silent_deaths():
            try:
                self.engine.launch()
                drive(self.engine)
                self.engine.shutdown()
            except BaseException:
                if self.death is None:
                    self._crash(SimulatedDeath("a failed check"))
                    raise
            if self.death is not None:
                self._crash(self.death)
        self._check_nothing_hangs()
        return self.death is not None

    def _reach(self, point: str) -> None:
        self.points += 1
        if self.death is None and self.points == self._crash_at:
            _let_others_run()
            self.death = SimulatedDeath(f"{point}, point {self.points} of life {self._number}")
            self._clock.interrupt()
        if self.death is not None:
            raise self.death

    def _crash(self, death: SimulatedDeath) -> None:
        if self.engine._live is not None:
            self.engine._live.crash(death)

    def _check_nothing_hangs(self) -> None:
        for caller in self._callers:
            caller.join(JOIN_S)
            if caller.is_alive():
                self.ledger.fail("a caller of get_result() was left waiting")
        left = [
            thread.name for thread in set(threading.enumerate()) - self._others if thread.name.startswith("litewf-")
        ]
        if left:
            self.ledger.fail(f"threads outlived the engine: {left}")

    # --- acting from outside ----------------------------------------------------------------------------------

    def settle(self, until_us: int = FOREVER_US) -> None:
        """Let everything happen that can happen before `until_us`."""
        self._clock.settle(until_us)
        if self.death is not None:
            raise self.death

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
        if self.death is not None:
            raise self.death  # a dead process starts nothing
        key, attempt = litewf.idempotency_key(), litewf.attempt()
        run = self.ledger.begin(key, litewf.workflow_id(), _call(name, args), attempt, allowed, self.time.now_us)
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


def _let_others_run() -> None:
    """Whoever was told too early that something is durable acts on it now, before the process dies."""
    threading.Event().wait(0.0005)


@contextmanager
def _silent_deaths() -> Iterator[None]:
    """The threads of a dead engine end without a word."""
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if not isinstance(args.exc_value, SimulatedDeath):
            before(args)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before
