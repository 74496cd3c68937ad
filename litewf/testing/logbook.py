"""What the steps of a trial did, kept outside of the file: which bodies ran, and which ran again after a death."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Literal, NamedTuple

from litewf.engine.execution import StepFrame
from litewf.testing.mortal import short

State = Literal["running", "ended"]
WHEN = {"running": "during the call", "ended": "after the call and before the checkpoint"}


class Repeat(NamedTuple):
    """An attempt of a step whose body ran again, because a death came before it was recorded."""

    step: str  # its idempotency key
    name: str
    when: str  # the death came


class Logbook:
    """The bodies of one trial; it outlives its engines."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: dict[tuple[str, int], State] = {}  # by step and attempt, in this life
        self._before: dict[tuple[str, int], State] = {}  # the same, when earlier lives ended
        self.runs: Counter[str] = Counter()  # by name
        self.repeats: list[Repeat] = []
        self.entries = 0

    def begun(self, frame: StepFrame) -> None:
        """A body begins."""
        attempt = frame.idempotency_key, frame.attempt
        name = short(frame.name)
        with self._lock:
            self.entries += 1
            self.runs[name] += 1
            self._states[attempt] = "running"
            if attempt in self._before:
                self.repeats.append(Repeat(attempt[0], name, WHEN[self._before[attempt]]))

    def ended(self, frame: StepFrame) -> None:
        """A body has ended, in an engine that lives."""
        with self._lock:
            self.entries += 1
            self._states[frame.idempotency_key, frame.attempt] = "ended"

    def copy(self) -> Logbook:
        """As it is now."""
        copy = Logbook()
        with self._lock:
            copy._states, copy._before = dict(self._states), dict(self._before)
            copy.runs, copy.repeats = Counter(self.runs), list(self.repeats)
            copy.entries = self.entries
        return copy

    def died(self) -> None:
        """The engine is dead."""
        with self._lock:
            self._before.update(self._states)
            self._states.clear()
