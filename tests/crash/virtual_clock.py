"""A clock that stands still while anything happens, and jumps to the next due time when nothing does.

Time moves only while the test lets the engine `settle`, so a test that acts from outside acts at a known time.
"""

import threading
from collections.abc import Callable

import litewf
from litewf.engine.runtime import Runtime

POLL_S = 0.0001  # between looks whether the engine has come to rest
PATIENCE_S = 10.0  # of real time, before a test takes its engine for stuck
FOREVER_US = 1 << 62
START_US = 1_700_000_000_000_000


class Time:
    """What the clocks of one engine after the other show."""

    def __init__(self) -> None:
        self.now_us = START_US


class VirtualClock(litewf.Clock):
    """The clock of one engine."""

    def __init__(self, time: Time, commits: Callable[[], int]) -> None:
        self._time = time
        self._commits = commits
        self._idle_since: int | None = None
        self._engine: litewf.Engine | None = None
        self._limit_us = 0
        self._round = 0
        self._dead = False
        self._woken = threading.Event()
        self.at_rest = False

    def attach(self, engine: litewf.Engine) -> None:
        self._engine = engine

    def now_us(self) -> int:
        return self._time.now_us

    def wait(self, condition: threading.Condition, timeout_us: int) -> None:
        """Called by the engine's dispatcher whenever it has nothing to do."""
        runtime = None if self._engine is None else self._engine._live
        this_round = self._round
        if runtime is None or not self._is_idle(runtime):
            condition.wait(POLL_S)
            return
        due_us = runtime.dispatcher.next_due_us()
        if due_us is not None and due_us <= max(self._limit_us, self._time.now_us):
            self._time.now_us = max(self._time.now_us, due_us)
            return
        if this_round == self._round:
            self.at_rest = True
            self._woken.set()
        condition.wait(timeout_us / 1_000_000)

    def _is_idle(self, runtime: Runtime) -> bool:
        """Whether it was idle at two looks in a row with no commit between: one look sees one part after the other."""
        idle_since, self._idle_since = self._idle_since, self._commits() if runtime.is_idle() else None
        return idle_since is not None and idle_since == self._idle_since

    def settle(self, until_us: int = FOREVER_US) -> None:
        """Let time pass until nothing more is due before `until_us`; returns early when the engine dies."""
        assert self._engine is not None
        self.at_rest = False
        self._round += 1
        self._limit_us = until_us
        self._woken.clear()
        if self._dead:
            return
        self._engine._running().dispatcher.poke()
        woken = self._woken.wait(PATIENCE_S)
        self._limit_us = 0
        if self.at_rest and until_us < FOREVER_US:
            self._time.now_us = max(self._time.now_us, until_us)
        assert woken, "the engine never came to rest"

    def interrupt(self) -> None:
        """Nothing more will settle: the engine has died."""
        self._dead = True
        self._woken.set()
