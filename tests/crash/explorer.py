"""Kills a scenario at every crash point in turn, recovers it, and checks everything each time.

A trial is one file and the engines that lived on it: all but the last died, the last ran to the end.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import litewf
from litewf.testing import VirtualClock
from tests.crash.invariants import Image
from tests.crash.ledger import Ledger
from tests.crash.life import Life

Drive = Callable[[litewf.Engine], None]
MEMORY = Path("/dev/shm")
MOST_POINTS = 2000  # of one scenario; more means that it never ends


@dataclass(frozen=True)
class Scenario:
    """Workflows, and what happens to them from outside."""

    name: str
    build: Callable[[Life], Drive]
    linger: float | None = 0.2
    resumable: frozenset[str] = frozenset()  # workflows whose end may be undone
    downtime_s: tuple[float, ...] = (0.0, 3600.0)  # between a death and the next launch, in turn


@dataclass
class Tally:
    """How much was explored."""

    cycles: int = 0  # crash, recover, check
    points: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        rate = self.cycles / self.seconds if self.seconds else 0
        return f"{self.cycles} crash-recover-check cycles in {self.seconds:.1f} s ({rate:.0f}/s)"


class Trial:
    """One file, its ledger, and one engine after the other."""

    def __init__(self, scenario: Scenario, path: Path) -> None:
        self._scenario = scenario
        self._path = path
        self._clock = VirtualClock(mode="driven")
        self._last: Image | None = None
        self.ledger = Ledger()
        self.history: list[str] = []

    def live(self, crash_at: int | None) -> bool:
        """Run until the end or until the crash point; whether it died."""
        life = Life(self._path, self._clock, self.ledger, crash_at=crash_at, linger=self._scenario.linger)
        drive = self._scenario.build(life)
        try:
            died = life.run(drive)
        except BaseException as error:
            error.add_note(self.story())
            raise
        self.history.append(f"{life.death}" if died else "ran to the end")
        self._inspect(at_the_end=not died)
        if died:
            turn = self.ledger.life % len(self._scenario.downtime_s)
            self._clock.move(self._scenario.downtime_s[turn])
        else:
            self.ledger.check_starts()
        return died

    def _inspect(self, *, at_the_end: bool) -> None:
        image = Image(self._path)
        for problem in image.broken(at_the_end=at_the_end):
            self.ledger.fail(problem)
        if self._last is not None:
            for problem in image.contradicts(self._last, self._scenario.resumable):
                self.ledger.fail(problem)
        for what in self.ledger.acknowledged:
            kind, _, rest = what.partition(" ")
            if (kind == "started" and rest not in image.workflows) or (kind == "sent" and rest not in image.sent):
                self.ledger.fail(f"A4 {what} was acknowledged and is gone")
        for key in self.ledger.seen:
            if not image.settles(key):
                self.ledger.fail(f"A4 the workflow went on after {key}, which is not recorded")
        settled = {key for key in self.ledger.in_life if image.settles(key)} | set(image.settled)
        self.ledger.died(settled, image.next_attempts())
        image.close()
        self._last = image

    def story(self) -> str:
        lines = [f"scenario {self._scenario.name}", *self.history, *self.ledger.violations]
        return "\n  ".join(lines)

    def check(self) -> None:
        assert not self.ledger.violations, self.story()


@contextmanager
def workplace() -> Iterator[Path]:
    """A directory for files that need not survive the test, in memory where there is such a place."""
    folder = tempfile.mkdtemp(prefix="litewf-crash-", dir=MEMORY if MEMORY.is_dir() else None)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder)


def explore(scenario: Scenario, *, second_deaths: "SecondDeaths", tally: Tally, stride: int = 1, first: int = 1) -> int:
    """Die at point 1, 2, 3 … until a run ends unharmed; how many points there were."""
    began = time.perf_counter()
    for point in range(first, MOST_POINTS, stride):
        for second in second_deaths(point):
            with workplace() as folder:
                trial = Trial(scenario, folder / "flows.db")
                deaths = _try(trial, point, second)
            tally.cycles += deaths
            if deaths == 0:
                tally.seconds += time.perf_counter() - began
                tally.points += point
                return point
            if deaths == 1:
                break  # there is no later point in this recovery
    raise AssertionError(f"{scenario.name} has more than {MOST_POINTS} crash points")


def _try(trial: Trial, point: int, second: int | None) -> int:
    """How often the engine died before it came to its end."""
    deaths = 0
    if trial.live(point):
        deaths += 1
        if trial.live(second):
            deaths += 1
            trial.live(None)
    trial.check()
    return deaths


SecondDeaths = Callable[[int], Iterator[int | None]]


def never(_point: int) -> Iterator[int | None]:
    yield None


def every(_point: int) -> Iterator[int | None]:
    yield from range(1, MOST_POINTS)


def derived(point: int) -> Iterator[int | None]:
    """One point of each recovery, another one each time, so that all of them have their turn."""
    yield 1 + (point * 7) % 29
