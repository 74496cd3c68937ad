"""Hypothesis tries what nobody thinks of: `CrashMachine` runs rules on engines that it kills between and within them.

A subclass adds its own rules and invariants, as to any rule-based state machine. What it starts, sends and changes goes
through `perform`, which says of an act that was interrupted that nobody knows whether it happened.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar, final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from litewf.api.engine import Engine
from litewf.durations import Duration, duration_us
from litewf.engine.signals import Unwind
from litewf.errors import EngineClosedError
from litewf.registry import Registry, default_registry
from litewf.testing.clock import VirtualClock
from litewf.testing.logbook import Logbook, Repeat
from litewf.testing.mortal import MortalEngine, SimulatedDeath, silence

R = TypeVar("R")
MOMENT_S = 0.0005
MEMORY = Path("/dev/shm")  # noqa: S108 - a place for files of a test that is over at once


@final
class Unknown:
    """What `perform` returns when the engine died in the call: it may or may not have happened."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


class CrashMachine(RuleBasedStateMachine):
    """Rules and invariants over engines on one file, which die at the worst moments and are launched again.

        class Shop(CrashMachine):
            registry = shop.registry

            @rule(order=st.integers(1, 9))
            def checkout(self, order):
                self.start(shop.checkout, order, workflow_id=f"order-{order}")

            @invariant()
            def nobody_pays_twice(self):
                assert max(payments.values(), default=0) <= 1

        TestShop = Shop.TestCase

    The rules that it brings along let time pass, kill an engine, or let one die at one of its next crash points.
    `engines` is how many run on the file at once, as processes would; `options` are those of Engine. Threads are not
    repeatable: a precondition on what a death has left makes Hypothesis call the test flaky, decide it in the rule.
    """

    registry: Registry = default_registry
    engines: ClassVar[int] = 1
    options: ClassVar[Mapping[str, Any]] = {}
    counts: ClassVar[Counter[str]] = Counter()  # of all machines: rules, deaths by crash point

    def __init__(self) -> None:
        super().__init__()
        self._silence = silence()
        self._silence.__enter__()
        self._folder = Path(tempfile.mkdtemp(prefix="litewf-machine-", dir=MEMORY if MEMORY.is_dir() else None))
        self.path = self._folder / "flows.db"
        self.clock = VirtualClock(mode="driven", despite_bodies=True)
        self.deaths = 0
        self._logbook = Logbook()
        self._points_to_live: int | None = None
        self._mortal = False  # whether an engine may die now: in an act, and in what follows from it
        self._condemned = False  # one will have died in a moment
        self._counting = threading.Lock()
        self.running = [self._launch(place) for place in range(self.engines)]

    # --- for subclasses -----------------------------------------------------------------------------------------

    @property
    def engine(self) -> MortalEngine:
        """The first engine."""
        return self.running[0]

    @property
    def repeats(self) -> list[Repeat]:
        """The bodies of steps that ran again, and when the death came that made them."""
        return list(self._logbook.repeats)

    def build(self, place: int) -> Registry:  # noqa: ARG002 - for those who override it
        """What the engine at this place is going to run; called at each launch."""
        return self.registry

    def died(self, place: int) -> None:
        """Called after each death, before the next engine is launched at its place."""

    def perform(self, act: Callable[[Engine], R], *, at: int = 0) -> R | Unknown:
        """Do something to an engine, and let everything happen that then happens by itself.

        UNKNOWN if the engine died before it could say that it is done: another one runs then, the act may be repeated.
        """
        result: R | Unknown = UNKNOWN
        self._mortal = True
        try:
            result = act(self.running[at])
        except (SimulatedDeath, EngineClosedError):
            if self.running[at].death is None:
                raise
            self.revive()
        finally:
            self._spare()
        self.settle()
        return result

    def start(self, workflow: Any, /, *args: Any, at: int = 0, **options: Any) -> Any:
        """Start a workflow with these options; the handle, or UNKNOWN."""
        chosen = workflow.with_options(**options) if options else workflow
        return self.perform(lambda engine: engine.start_workflow(chosen, *args), at=at)

    def send(self, workflow_id: str, message: object, topic: str | None = None, *, at: int = 0, **options: Any) -> Any:
        """Send a message; None, or UNKNOWN."""
        return self.perform(lambda engine: engine.send(workflow_id, message, topic, **options), at=at)

    def settle(self, seconds: Duration = 0) -> None:
        """Let everything happen that happens by itself in this time, whatever dies on the way."""
        until_us = self.clock.now_us() + duration_us(seconds, "seconds")
        while True:
            self._mortal = True
            self.clock.drain_us(until_us)
            self._spare()
            if not self.revive():
                return

    def kill(self, place: int = 0, *, again_in: int | None = None) -> None:
        """End an engine as a killed process ends, and launch another one.

        With `again_in` that one dies, too, at so many crash points from its launch on: in the middle of recovering.
        """
        self._points_to_live = again_in
        self.counts["death at once"] += 1
        self.running[place].kill()
        while self.revive():  # what is launched may die at once
            pass

    def die_in(self, points: int) -> None:
        """Let the engine die that reaches the last of so many crash points from now on: 1 is the next."""
        self._points_to_live = points

    def live_on(self) -> None:
        """Call off what `die_in` has announced."""
        self._points_to_live = None

    def revive(self) -> bool:
        """Launch another engine for each that has died; whether there was any."""
        dead = self._dead()
        while self._condemned and not dead:
            time.sleep(MOMENT_S)  # its thread is on the way
            dead = self._dead()
        self._condemned = False
        for place in dead:
            self._bury(self.running[place])
            self.died(place)
            self._mortal = True
            self.running[place] = self._launch(place)
            self._spare()
        return bool(dead)

    def _dead(self) -> list[int]:
        return [place for place, engine in enumerate(self.running) if engine.death is not None]

    # --- rules that it brings along -----------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0, 1, 60, 3600]))
    def time_passes(self, seconds: int) -> None:
        self.settle(seconds)

    @rule(again_in=st.none() | st.integers(1, 10))
    def the_process_is_killed(self, again_in: int | None) -> None:
        self.kill(again_in=again_in)

    @rule(points=st.integers(1, 10))
    def the_process_will_be_killed(self, points: int) -> None:
        self.die_in(points)

    # --- how it works -------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self.live_on()
            for engine in self.running:
                engine.kill()
        finally:
            self._silence.__exit__(None, None, None)
            shutil.rmtree(self._folder)

    def _launch(self, place: int) -> MortalEngine:
        while True:
            options = {"application_version": "1", "recover": "compatible", **self.options}
            engine = MortalEngine(
                self.path, clock=self.clock, registry=self.build(place), die_at=self._is_fatal,
                logbook=self._logbook, **options,
            )  # fmt: skip
            try:
                engine.launch()
                return engine
            except (Unwind, EngineClosedError):
                if engine.death is None:
                    raise
                self._bury(engine)
                self._condemned = False

    def _bury(self, engine: MortalEngine) -> None:
        engine.kill()
        self.deaths += 1
        self._logbook.died()

    def _spare(self) -> None:
        """Let no engine die from now on; one that is about to is known as condemned."""
        with self._counting:
            self._mortal = False

    def _is_fatal(self, point: str) -> bool:
        with self._counting:
            if self._points_to_live is None or not self._mortal:
                return False
            self._points_to_live -= 1
            if self._points_to_live > 0:
                return False
            self._points_to_live, self._condemned = None, True
        self.counts[f"death at {point}"] += 1
        return True
