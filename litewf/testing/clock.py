"""A clock for tests: it stands still while an engine does anything, and jumps to what is due next when nothing does.

An engine that is launched with it attaches itself; several may, one after the other or at once. What they run is real:
threads, tasks and commits take the time that they take. Only waiting takes none.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

from litewf.durations import Duration, duration_us, moment_us
from litewf.errors import EngineClosedError
from litewf.world import EPOCH, Clock, Clocked, moment

LOG = logging.getLogger("litewf.testing")
START = datetime(2030, 1, 1, 12, tzinfo=UTC)
PATIENCE_S = 20.0  # of real time, before a test takes its engine for stuck
POLL_S = 0.0001  # between the first looks whether an engine has come to rest, then longer and longer
LONGEST_POLL_S = 0.005
NAP_S = 0.002  # of an engine that has come to rest, before it looks whether others have, or somebody waits
PUZZLED_S = 2.0  # of real time in which somebody waits and time stands, before a line says so
START_US = (START - EPOCH) // timedelta(microseconds=1)
FOREVER_US = 1 << 62
NEVER_US = FOREVER_US + 1
Mode = Literal["inline", "driven", "free"]


class VirtualClock(Clock):
    """The time of a test, which begins at `start`: noon of 1 January 2030 in UTC unless told otherwise.

    `mode="inline"`: whenever the test waits for something, as in `get_result()`, time jumps from one due moment to the
    next until it comes. `mode="driven"`: time stands until the test moves it, with `drain`, `advance` or `move`.
    `mode="free"`: time jumps whenever nothing happens.

    While a step body runs, time stands; with `despite_bodies`, async bodies that wait for something do not count.
    `patience` is for how many real seconds the engines may be busy before `drain` gives up.
    """

    def __init__(
        self,
        start: datetime = START,
        *,
        mode: Mode = "inline",
        despite_bodies: bool = False,
        patience: Duration = PATIENCE_S,
    ) -> None:
        if mode not in ("inline", "driven", "free"):
            raise ValueError(f'mode is "inline", "driven" or "free", not {mode!r}')
        self.mode = mode
        self._now_us = moment_us(start, "start")
        self._despite_bodies = despite_bodies
        self._patience_s = duration_us(patience, "patience") / 1_000_000
        self._changed = threading.Condition()  # guards what follows
        self._engines: dict[threading.Condition, _Pace] = {}
        self._until_us: int | None = None  # how far `drain` lets time jump
        self._at_rest = False  # at the moment to which it may jump
        self._dead: set[object] = set()  # engines that are not buried
        self._round = 0  # of `drain`
        self._lives = itertools.count(1)
        self._still_since: float | None = None  # since when somebody waits and nothing happens

    # --- for the test -----------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """What it shows."""
        return moment(self._now_us)

    def now_us(self) -> int:
        """What it shows, in microseconds since 1970."""
        return self._now_us

    def drain(self, until: datetime | None = None) -> None:
        """Let everything happen that happens by itself, each thing at its time, and show `until` then.

        Returns when every workflow has ended or waits for somebody outside, or for a time after `until`.
        """
        self.drain_us(FOREVER_US if until is None else moment_us(until, "until"))

    def advance(self, duration: Duration) -> None:
        """Let time pass as it does: what is due on the way happens at its own moment."""
        self.drain_us(self._now_us + duration_us(duration, "duration"))

    def move(self, duration: Duration) -> None:
        """Set the clock forward, or back if negative, as an administrator does: what is due now is late."""
        delta = duration if isinstance(duration, timedelta) else timedelta(seconds=duration)
        with self._changed:
            self._now_us += delta // timedelta(microseconds=1)
        self._poke()

    def suspend(self, duration: Duration) -> None:
        """Close the lid: what can happen happens, then this much time is gone in which nothing ran."""
        slept_us = duration_us(duration, "duration")
        self.drain_us(self._now_us)
        with self._changed:
            self._now_us += slept_us
        self._poke()

    def drain_us(self, until_us: int, unless: Callable[[], bool] = lambda: False) -> None:
        """As `drain`, in microseconds; returns early when an engine dies, or `unless` says so."""
        with self._changed:
            self._at_rest = False
            self._until_us = until_us
            self._round += 1
        self._poke()
        try:
            with self._changed:
                rested = self._changed.wait_for(
                    lambda: self._at_rest or self._dead or unless() or not self._living(), self._patience_s
                )
                if rested and not self._dead and not unless() and until_us < FOREVER_US:
                    self._now_us = max(self._now_us, until_us)
        finally:
            self._until_us = None
        if not rested:
            busy = [label for pace in self._living() for label in pace.engine.labels()]
            raise AssertionError(
                f"the engine did not come to rest within {self._patience_s:g} real seconds, at {self.now}: a step body"
                " that does not end, a workflow that never waits, or a schedule, which is due for ever (then say until"
                f" when); in memory: {', '.join(busy) or 'nothing'}"
            )

    def next_life(self) -> int:
        """A number for the next engine, from 1 on."""
        return next(self._lives)

    def died(self, engine: object) -> None:
        """Let `drain` return, until the engine is buried: it will never come to rest."""
        with self._changed:
            self._dead.add(engine)
            self._changed.notify_all()

    def buried(self, engine: object) -> None:
        """None of its threads is left."""
        with self._changed:
            self._dead.discard(engine)

    # --- for the engines --------------------------------------------------------------------------------------

    def attach(self, waiting: threading.Condition, engine: Clocked) -> None:
        with self._changed:
            self._engines = {known: pace for known, pace in self._engines.items() if not pace.engine.closed}
            self._engines[waiting] = _Pace(engine)

    def wait(self, condition: threading.Condition, timeout_us: int) -> None:
        """Called by the dispatcher of an engine whenever it has nothing to do."""
        this_round = self._round  # first: what a test does before it drains has been seen then
        pace = self._engines.get(condition)
        if pace is None:
            condition.wait(POLL_S)
            return
        self._wait_at(pace, condition, timeout_us, this_round)
        pace.rested_at = None  # from here on it may claim what is ready, so nobody else may take it for resting

    def _wait_at(self, pace: _Pace, condition: threading.Condition, timeout_us: int, this_round: int) -> None:
        if timeout_us <= 0:  # something is due now
            pace.idle_since = pace.rested_at = None
        elif not self._is_idle(pace, this_round):
            condition.wait(pace.poll_s)
            pace.poll_s = min(2 * pace.poll_s, LONGEST_POLL_S)
        elif not self._all_rest_as(pace):
            condition.wait(NAP_S)
        elif not self._jump(pace, this_round):
            alone = len(self._engines) == 1 and self.mode == "driven"
            condition.wait(timeout_us / 1_000_000 if alone else min(timeout_us / 1_000_000, NAP_S))

    def _all_rest_as(self, pace: _Pace) -> bool:
        """Whether no engine has come upon anything since this one came to rest."""
        return all(other.rested_at == pace.rested_at for other in self._living())

    def _is_idle(self, pace: _Pace, this_round: int) -> bool:
        """Whether it was idle at two looks in a row with nothing done between: one look sees part after part."""
        looked = this_round, sum(one.engine.activity for one in self._living()), self._now_us
        idle = pace.engine.is_idle(despite_bodies=self._despite_bodies)
        before, pace.idle_since = pace.idle_since, looked if idle else None
        if not idle or before != looked:
            pace.rested_at = None
            if before is not None:
                pace.poll_s = POLL_S
            return False
        pace.rested_at, pace.poll_s = looked, POLL_S
        return True

    def _jump(self, pace: _Pace, this_round: int) -> bool:
        """All engines are at rest: go to the next moment, or say that there is none; whether time has moved."""
        living = self._living()
        try:
            due = [due_us for pace in living if (due_us := pace.engine.next_due_us()) is not None]
        except EngineClosedError:
            return True  # one of them has ended meanwhile: look again
        awaited = any(pace.engine.is_awaited() for pace in living)
        with self._changed:
            if this_round != self._round or not self._all_rest_as(pace):
                return True  # what is due may have been read between a claim and what came of it
            next_us = min(due, default=NEVER_US)
            if self._now_us < next_us <= self._limit_us(awaited=awaited):
                self._now_us = next_us
                self._still_since = None
                return True
            if self._until_us is not None and next_us > self._now_us:  # else it could not be done, and is tried again
                self._at_rest = True
                self._changed.notify_all()
        self._wonder(awaited=awaited)
        return False

    def _limit_us(self, *, awaited: bool) -> int:
        """How far time may jump by itself."""
        if self._until_us is not None:
            return self._until_us
        return FOREVER_US if self.mode == "free" or (self.mode == "inline" and awaited) else 0

    def _wonder(self, *, awaited: bool) -> None:
        """Say so when a test seems to wait for ever."""
        now_s = time.monotonic()
        if not awaited:
            self._still_since = None
        elif self._still_since is None:
            self._still_since = now_s
        elif now_s - self._still_since > PUZZLED_S:
            self._still_since = now_s + FOREVER_US  # once
            LOG.warning(
                "somebody waits for a workflow, and nothing is due%s: the test has to send or publish what the workflow"
                " waits for before it waits itself",
                "" if self.mode != "driven" else " at this time, which stands until the test drains or moves the clock",
            )

    def _living(self) -> list[_Pace]:
        return [pace for pace in self._engines.values() if not pace.engine.closed]

    def _poke(self) -> None:
        for pace in self._living():
            pace.engine.poke()


class _Pace:
    """What the clock knows of one engine."""

    def __init__(self, engine: Clocked) -> None:
        self.engine = engine
        self.idle_since: tuple[int, int, int] | None = None  # the round, how many transactions there had been, the time
        self.rested_at: tuple[int, int, int] | None = None  # the same, at the second look
        self.poll_s = POLL_S
