"""What killing a workflow everywhere has shown: the report, and the failure with the line that replays it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from litewf.testing.points import Deaths, described

NAMED = 5  # problems that a message tells of, and points that it names
TWICE = 2
OFTEN = {1: "once", TWICE: "twice"}


class CrashTestFailure(AssertionError):  # noqa: N818 - a test that fails, as pytest calls it
    """A workflow does not survive a crash; the message names the step, the moment, what to do and how to replay it."""


@dataclass(frozen=True)
class Problem:
    """One promise that was not kept, in words that are the same for the same mistake at another point."""

    text: str
    fix: str = ""


@dataclass
class StepReport:
    """One step by its name."""

    name: str
    runs: int  # of its body without a crash
    repeats: Counter[str] = field(default_factory=Counter)  # runs again, by when the death came
    points: list[str] = field(default_factory=list)  # the deaths after which it ran again
    keyed: dict[str, bool] = field(default_factory=dict)  # what it calls outside, and whether with a key each time

    def __str__(self) -> str:
        if not self.points:
            return f"{self.name} ran {often(self.runs)}, whatever happened"
        return (
            f"{self.name} runs twice when the process dies {' or '.join(self.repeats)} (as at {self.points[0]!r}):"
            f" {self._advice()}"
        )

    def _advice(self) -> str:
        bare = [target for target, has_key in self.keyed.items() if not has_key]
        if bare:
            return f"pass idempotency_key() to {' and '.join(bare)}"
        if self.keyed:
            return f"{' and '.join(self.keyed)} gets its idempotency key"
        return "whatever it calls outside needs idempotency_key()"


@dataclass
class CrashReport:
    """What happened in all trials; `str()` of it is for people."""

    workflow: str
    points: list[str] = field(default_factory=list)  # crash points of a run without a crash, in order
    deaths: int = 0
    seconds: float = 0.0
    steps: dict[str, StepReport] = field(default_factory=dict)
    not_compared: list[str] = field(default_factory=list)  # what differs from run to run without any crash
    not_reached: list[str] = field(default_factory=list)  # points that a trial did not pass again
    problems: dict[Problem, list[Deaths]] = field(default_factory=dict)
    function: str = "crash_everywhere"  # that replays a problem

    def note(self, problem: Problem, deaths: Deaths) -> None:
        """A trial has shown this."""
        self.problems.setdefault(problem, []).append(deaths)

    def __str__(self) -> str:
        lines = [f"{self.workflow} died {self.deaths} times, at {len(self.points)} points, in {self.seconds:.2f} s"]
        lines += self.details()
        if self.not_reached:
            lines.append(f"  not reached again: {_some(self.not_reached)}")
        return "\n".join(lines)

    def details(self) -> list[str]:
        """What there is to say of each step, and what was left out of the comparison."""
        steps = [f"  {step}" for step in self.steps.values()]
        return [*steps, *(f"  not compared, as it differs from run to run: {what}" for what in self.not_compared)]

    def raise_if_broken(self) -> None:
        """Raise CrashTestFailure if there is any problem."""
        if not self.problems:
            return
        failing = len({deaths for found in self.problems.values() for deaths in found})
        lines = [f"{self.workflow} does not survive every crash: {failing} of {self.deaths} deaths did harm", ""]
        for problem, found in list(self.problems.items())[:NAMED]:
            lines.append(f"* {problem.text}{f': {problem.fix}' if problem.fix else ''}")
            more = len(found) - 1
            others = f"  # and {more} other {'death' if more == 1 else 'deaths'}" if more else ""
            lines.append(f'  replay: {self.function}({self.workflow}, ..., at="{described(found[0])}"){others}')
        if len(self.problems) > NAMED:
            lines.append(f"... and {len(self.problems) - NAMED} more")
        raise CrashTestFailure("\n".join([*lines, "", str(self)]))


def often(times: int) -> str:
    """How many times, in words."""
    return OFTEN.get(times, f"{times} times")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
