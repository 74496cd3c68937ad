"""What really happened, kept outside of the file: which bodies ran, what the workflows saw, what was acknowledged.

The ledger outlives every engine of a trial. It checks as it goes, so a broken promise is reported with the moment at
which it was broken; letters and numbers name the invariants (B1: a body never starts again after it was recorded, ...).
"""

import pickle
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a recorded body returns beside its value: which execution of which step it was."""

    key: str  # the step's idempotency key: workflow, generation, number
    run: int


class Ledger:
    """The test's own record of one trial."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.violations: list[str] = []
        self.life = 0
        self.runs = 0
        self.starts: Counter[str] = Counter()  # by step
        self.excused: Counter[str] = Counter()  # starts that a death made worthless
        self.open: dict[str, int] = {}  # bodies that run, and since which life
        self.in_life: set[str] = set()  # steps whose body has started in this life
        self.ended: dict[int, str] = {}  # completed executions of bodies
        self.allowed: dict[str, int] = {}  # attempts of each step
        self.arguments: dict[str, str] = {}
        self.attempts: dict[str, int] = {}
        self.due_us: dict[str, int] = {}  # of the next attempt, as the file says
        self.named: dict[tuple[str, str], str] = {}  # (workflow, call) → step
        self.seen: dict[str, str] = {}  # what the workflow got from each step
        self.recorded: set[str] = set()  # steps that an image of the file shows as settled
        self.notes: dict[tuple[str, str], str] = {}
        self.stopped: set[str] = set()  # workflows whose cancel was acknowledged
        self.acknowledged: set[str] = set()
        self.times_us: dict[str, int] = {}  # of what was done from outside
        self.effects: list[str] = []  # on a world that no transaction covers

    def frozen(self) -> bytes:
        """All that it holds now; `thawed` makes a ledger of it."""
        while True:
            with self._lock, suppress(RuntimeError):  # what happens outside of steps is not under the lock
                return pickle.dumps({name: value for name, value in vars(self).items() if name != "_lock"})

    @classmethod
    def thawed(cls, frozen: bytes) -> "Ledger":
        ledger = cls()
        vars(ledger).update(pickle.loads(frozen))
        return ledger

    def fail(self, text: str) -> None:
        self.violations.append(f"life {self.life}: {text}")

    # --- bodies -----------------------------------------------------------------------------------------------

    def begin(self, key: str, workflow_id: str, call: str, attempt: int, allowed: int, now_us: int) -> int:
        """A body starts; the number of this execution."""
        with self._lock:
            self.runs += 1
            self.starts[key] += 1
            self.allowed[key] = allowed
            self._check_start(key, workflow_id, call, attempt)
            if now_us < self.due_us.pop(key, now_us):
                self.fail(f"B5 attempt {attempt} of {key} came before its time")
            self.open[key] = self.life
            self.in_life.add(key)
            self.named[workflow_id, call] = key
            return self.runs

    def _check_start(self, key: str, workflow_id: str, call: str, attempt: int) -> None:
        if key in self.recorded:
            self.fail(f"B1 {key} ({call}) started although it was recorded")
        if key in self.seen:
            self.fail(f"B1 {key} ({call}) started although the workflow had its outcome")
        if key in self.open:
            self.fail(f"B3 {key} ({call}) started while it ran")
        if workflow_id in self.stopped:
            self.fail(f"C1 {key} ({call}) started after its cancel was acknowledged")
        if self.arguments.setdefault(key, call) != call:
            self.fail(f"B7 {key} was called as {self.arguments[key]} and as {call}")
        if attempt < self.attempts.get(key, 1):
            self.fail(f"B5 attempt {attempt} of {key} came after attempt {self.attempts[key]}")
        self.attempts[key] = attempt

    def end(self, key: str, run: int, life: int) -> None:
        """A body has ended, by returning or by raising."""
        with self._lock:
            if self.open.get(key) == life:
                del self.open[key]
            if life == self.life:
                self.ended[run] = key

    def saw(self, receipt: Receipt) -> None:
        """The workflow got the outcome of a body, live or replayed."""
        with self._lock:
            if self.ended.get(receipt.run) != receipt.key:
                self.fail(f"B2 {receipt} is no completed execution")
            self._saw(receipt.key, f"run {receipt.run}")

    def saw_failure(self, workflow_id: str, call: str, error: Exception) -> None:
        """The workflow got the failure of a step."""
        with self._lock:
            key = self.named.get((workflow_id, call))
            if key is not None:
                self._saw(key, repr(error))

    def _saw(self, key: str, outcome: str) -> None:
        if self.seen.setdefault(key, outcome) != outcome:
            self.fail(f"B7 {key} gave {self.seen[key]} first and {outcome} later")

    # --- other facts ------------------------------------------------------------------------------------------

    def note(self, workflow_id: str, label: str, value: Any) -> None:
        """The workflow got this once it was durable: replay must see the same."""
        with self._lock:
            known = self.notes.setdefault((workflow_id, label), repr(value))
            if known != repr(value):
                self.fail(f"B7 {label} of {workflow_id} was {known} first and {value!r} later")

    def acknowledge(self, what: str, act: Callable[[], object]) -> bool:
        """Do something from outside unless an earlier life was told that it is done; whether it was done now."""
        if what in self.acknowledged:
            return False
        act()
        self.acknowledged.add(what)
        return True

    # --- deaths -----------------------------------------------------------------------------------------------

    def died(self, settled: set[str], due_us: dict[str, int]) -> None:
        """The engine is dead, and the file shows these steps as settled, those as due."""
        self.due_us = due_us
        for key in self.in_life - settled:
            self.excused[key] += 1
        self.recorded |= settled
        self.open.clear()
        self.in_life.clear()
        self.life += 1

    def check_starts(self) -> None:
        """B5: no body started more often than its attempts and the deaths explain."""
        for key, count in self.starts.items():
            if count > self.allowed[key] + self.excused[key]:
                self.fail(
                    f"B5 {key} started {count} times with {self.allowed[key]} attempts and {self.excused[key]} deaths"
                )
