"""Kills a scenario at every crash point in turn, recovers it, and checks everything each time.

A trial is one file and the engines that lived on it: all but the last died, the last ran to the end.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import litewf
from litewf.testing import VirtualClock
from litewf.testing.places import workplace
from tests.crash.invariants import Image
from tests.crash.ledger import Ledger
from tests.crash.life import Life

Drive = Callable[[litewf.Engine], None]
MOST_POINTS = 2000  # of one scenario; more means that it never ends


@dataclass(frozen=True)
class Scenario:
    """Workflows, and what happens to them from outside."""

    name: str
    build: Callable[[Life], Drive]
    linger: float | None = 0.2
    fresh: bool = False  # it is about a file that is made, too
    resumable: frozenset[str] = frozenset()  # workflows whose end may be undone
    downtime_s: tuple[float, ...] = (0.0, 3600.0)  # between a death and the next launch, in turn


@dataclass
class Tally:
    """How much was explored."""

    cycles: int = 0  # crash, recover, check
    points: int = 0
    seconds: float = 0.0  # of processor time

    def __str__(self) -> str:
        each_ms = 1000 * self.seconds / (self.cycles or 1)
        return f"{self.cycles} crash-recover-check cycles in {self.seconds:.1f} s of processor time ({each_ms:.1f} ms each)"


class Trial:
    """One file, its ledger, and one engine after the other."""

    def __init__(self, scenario: Scenario, path: Path) -> None:
        self.scenario = scenario
        self.path = path
        self.clock = VirtualClock(mode="driven")
        self.ledger = Ledger()
        self.history: list[str] = []
        self._last: Image | None = None

    def live(self, crash_at: int | None, **options: Any) -> bool:
        """Run until the end or until the crash point; whether it died."""
        life = self.born(crash_at=crash_at, **options)
        drive = self.scenario.build(life)
        try:
            died = life.run(drive)
        except BaseException as error:
            error.add_note(self.story())
            raise
        self.history.append(f"{life.death}" if died else "ran to the end")
        if died:
            self.mourn(self.ledger.life + 1)
        else:
            self.inspect(at_the_end=True)
            self.ledger.check_starts()
        return died

    def born(self, **options: Any) -> Life:
        return Life(self.path, self.clock, self.ledger, linger=self.scenario.linger, **options)

    def mourn(self, turn: int) -> None:
        """It died: see what it left, and let some time pass."""
        self.inspect(at_the_end=False)
        self.clock.move(self.scenario.downtime_s[turn % len(self.scenario.downtime_s)])

    def inspect(self, *, at_the_end: bool) -> None:
        image, problems = self.look(at_the_end=at_the_end)
        for problem in problems:
            self.ledger.fail(problem)
        if self._last is not None:
            for problem in image.contradicts(self._last, self.scenario.resumable):
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
        self._last = image

    def look(self, *, at_the_end: bool) -> tuple[Image, list[str]]:
        """The file as it is, and what is wrong with it."""
        image = Image.of(self.path)
        problems = list(image.broken(at_the_end=at_the_end))
        image.close()
        return image, problems

    def story(self) -> str:
        lines = [f"scenario {self.scenario.name}", *self.history, *self.ledger.violations]
        return "\n  ".join(lines)

    def check(self) -> None:
        assert not self.ledger.violations, self.story()


def explore(scenario: Scenario, *, second_deaths: "SecondDeaths", tally: Tally, stride: int = 1, first: int = 1) -> int:
    """Die at point 1, 2, 3 … until a run ends unharmed; how many points there were."""
    began = time.process_time()
    for point in range(first, MOST_POINTS, stride):
        for second in second_deaths(point):
            with workplace() as folder:
                trial = Trial(scenario, folder / "flows.db")
                deaths = _try(trial, point, second)
            tally.cycles += deaths
            if deaths == 0:
                tally.seconds += time.process_time() - began
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
