"""An engine that can die as a killed process does, under a virtual clock: nothing more is written, its lock is free.

What comes after is another engine on the same file and the same clock. All of it happens in this process, so a death
costs a thousandth of a second, and comes exactly where it is wanted.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol, Self, TypeVar

from litewf.api.engine import Engine
from litewf.definitions import StepDefinition
from litewf.durations import Duration, duration_us, moment_us
from litewf.engine.execution import FRAME, Branch, StepFrame
from litewf.engine.signals import Unwind
from litewf.store.readers import Reader
from litewf.testing.clock import FOREVER_US, VirtualClock
from litewf.world import Entropy, World

LOG = logging.getLogger("litewf")
R = TypeVar("R")
Drive = Callable[["MortalEngine"], None]
LAST_BREATH_S = 0.0005


class Logbook(Protocol):
    """Hears of the bodies of steps."""

    def begun(self, frame: StepFrame) -> None: ...

    def ended(self, frame: StepFrame) -> None: ...


class SimulatedDeath(Unwind):
    """The process was killed here.

    It unwinds executions as a lost workflow does: their code ends, and nothing of it is written.
    """

    def __init__(self, point: str) -> None:
        super().__init__("lost", f"killed at {point}")


class MortalEngine(Engine):
    """An engine under a virtual clock that dies at its `die_at`-th crash point, or the first for which it is true.

    Crash points are `commit.before`, `commit.after` and the like, and whatever else `reach` is called with. The same
    `seed` gives the same ids; unless given, it is another one for each engine of the clock. With a `logbook`, which
    hears of the bodies of steps, it may also die before and after each of them, at `body.before NAME` and
    `body.after NAME`. `vfs` is a layer of `litewf.testing.disk`, and `watch` is called at each crash point.
    Everything else is as for Engine, except that it parks at every wait and does not ask the disk to sync unless told
    otherwise.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        clock: VirtualClock | None = None,
        die_at: int | Callable[[str], bool] | None = None,
        seed: int | None = None,
        entropy: Entropy | None = None,
        logbook: Logbook | None = None,
        vfs: str | None = None,
        watch: Callable[[str], object] | None = None,
        **options: Any,
    ) -> None:
        self._virtual = clock or VirtualClock()
        self.death: SimulatedDeath | None = None
        self.points = 0  # crash points so far
        self.life = self._virtual.next_life()  # which engine of its clock it is, counted from 1
        self._die_at = die_at
        self._counting = threading.Lock()
        self._logbook = logbook
        self._at_each = watch
        self._burying = threading.Lock()
        self._buried = False
        entropy = entropy or Entropy(self.life if seed is None else seed)
        world = World(self._virtual, entropy, self.reach, None if logbook is None else self._around, vfs)
        super().__init__(path, world=world, **{"linger": 0, "durability": "normal", **options})

    @property
    def clock(self) -> VirtualClock:
        """Its time, and that of the engines after it."""
        return self._virtual

    def reach(self, point: str) -> None:
        """A crash point: the engine may die here, and once it is dead nothing goes on beyond any of them."""
        if self._at_each is not None:
            self._at_each(point)
        with self._counting:
            self.points += 1
            number = self.points
            fatal = self.death is None and self._is_fatal(point, number)
        if fatal:
            _let_others_run()
            self._die(SimulatedDeath(f"{point}, point {number} of life {self.life}"))
        if self.death is not None:
            raise self.death

    def _is_fatal(self, point: str, number: int) -> bool:
        if callable(self._die_at):
            return self._die_at(point)
        return number == self._die_at

    def _die(self, death: SimulatedDeath) -> None:
        with self._counting:
            if self.death is None:
                self.death = death
        self._virtual.died(self)
        # somebody may wait for it who cannot know; not this thread, which may hold what is needed for it
        threading.Thread(target=self._bury, name="coroner", daemon=True).start()

    def drain(self, until: datetime | None = None) -> None:
        """Let everything happen that happens by itself, as the clock's `drain`; raises the death if there is one."""
        self.drain_us(FOREVER_US if until is None else moment_us(until, "until"))

    def advance(self, duration: Duration) -> None:
        """Let time pass, as the clock's `advance`; raises the death if there is one."""
        self.drain_us(self._virtual.now_us() + duration_us(duration, "duration"))

    def drain_us(self, until_us: int) -> None:
        """As `drain`, in microseconds."""
        self._virtual.drain_us(until_us, lambda: self.death is not None)
        self.raise_if_dead()

    def raise_if_dead(self) -> None:
        """Raise its death, if it has died."""
        if self.death is not None:
            raise self.death

    def read(self, look: Callable[[Reader], R]) -> R:
        """Look at the file as the engine itself does."""
        return self._running().store.read(look)

    def runs(self, frame: StepFrame | Branch) -> bool:
        """Whether it is this engine that runs the code of this workflow or step."""
        return frame.execution.runtime is self._live

    def kill(self, why: str = "the test") -> None:
        """Die now, wherever its threads are."""
        self._die(SimulatedDeath(why))
        self.bury()

    def live(self, drive: Drive) -> bool:
        """Launch, do what happens from outside, shut down; whether it died on the way."""
        with _silent_deaths():
            try:
                self.launch()
                drive(self)
                self.shutdown()
            except BaseException:
                if self.death is None:
                    self.kill("a failed check")
                    raise
            if self.death is not None:
                self.bury()
        return self.death is not None

    def bury(self) -> None:
        """End what is left of it once it has died: its threads, and the waits of those who called it."""
        with _silent_deaths():
            self._bury()
        self._virtual.buried(self)

    def _bury(self) -> None:
        with self._burying:
            if self._live is not None and self.death is not None and not self._buried:
                self._live.crash(self.death)
                self._buried = True

    def _around(self, definition: StepDefinition) -> Callable[..., Any]:
        """The body of a step, between two crash points."""
        fn, name = definition.fn, short(definition.name)

        def body(*args: Any, **kwargs: Any) -> Any:
            with self._entered(name):
                return fn(*args, **kwargs)

        async def body_async(*args: Any, **kwargs: Any) -> Any:
            with self._entered(name):
                return await fn(*args, **kwargs)

        return body_async if definition.is_async else body

    @contextmanager
    def _entered(self, name: str) -> Iterator[None]:
        self.reach(f"body.before {name}")
        frame = FRAME.get()
        assert isinstance(frame, StepFrame)
        assert self._logbook is not None
        self._logbook.begun(frame)
        try:
            yield
        finally:
            if self.death is None:
                self._logbook.ended(frame)
            self.reach(f"body.after {name}")

    def __enter__(self) -> Self:
        with _silent_deaths():
            self.launch()
        return self

    def __exit__(self, *failure: object) -> None:
        if self.death is None:
            self.shutdown()
        else:
            self.bury()


def short(name: str) -> str:
    """The name of a function without where it was defined."""
    return name.rpartition(".")[2]


def _let_others_run() -> None:
    """Whoever was told too early that something is durable acts on it now, before the process dies."""
    threading.Event().wait(LAST_BREATH_S)


@contextmanager
def silence() -> Iterator[None]:
    """Say nothing of the deaths within: neither their threads nor the engine's log."""
    level = LOG.level
    LOG.setLevel(logging.CRITICAL + 1)
    try:
        with _silent_deaths():
            yield
    finally:
        LOG.setLevel(level)


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
