"""Runs the machine for as long as one likes, and plays a story once more.

    python -m tests.machine --seed 7 --minutes 20
    python -m tests.machine --story '[["open", …], …]'

A story is what a machine did: the names of its rules with their details, one after the other, as JSON. Threads are not
repeatable, so a story says what happened better than a seed does; most failures come again at once.
"""

import json
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.stateful import run_state_machine_as_test

from litewf.testing.machine import CrashMachine
from tests.machine.machine import Machine

Story = list[list[Any]]
CORPUS = Path(__file__).parent / "corpus"
STEPS = 30
EXAMPLES = 25  # of one seed, before the next
FOREVER = 1 << 30


@dataclass
class Failure:
    """A machine that came to something else than the model."""

    seed: int
    what: str
    story: Story
    trace: str

    @property
    def command(self) -> str:
        """What a shell has to be told to see it again."""
        return f"python -m tests.machine --story '{json.dumps(self.story)}'"

    def __str__(self) -> str:
        return f"{self.trace}\n(seed {self.seed}, {len(self.story)} rules) to see it again:\n{self.command}"


@dataclass
class Counts:
    """How much was tried."""

    examples: int = 0
    steps: int = 0
    deaths: int = 0
    rules: Counter[str] = field(default_factory=Counter)
    deaths_at: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.examples} machines, {self.steps} rules, {self.deaths} deaths in {self.seconds:.0f} s,"
            f" {len(self.failures)} violations"
        )


def run(
    seed: int = 0,
    *,
    minutes: float | None = None,
    examples: int | None = None,
    most_failures: int = 1,
    shorten: bool = True,
) -> Counts:
    """Run machines until the time has passed, or there were so many, or so many have failed."""
    began, counts = time.monotonic(), Counts()
    until = began + (FOREVER if minutes is None else 60 * minutes)
    left = FOREVER if examples is None else examples
    if minutes is None and examples is None:
        raise ValueError("for how long? say minutes=, or examples=")
    while left > 0 and time.monotonic() < until and len(counts.failures) < most_failures:
        failure = _batch(seed, min(left, EXAMPLES), counts, shorten=shorten)
        if failure is not None:
            counts.failures.append(failure)
        left -= EXAMPLES
        seed += 1
    counts.seconds = time.monotonic() - began
    return counts


def _batch(seed: int, examples: int, counts: Counts, *, shorten: bool) -> Failure | None:
    """Machines of one seed."""
    CrashMachine.counts.clear()

    Machine._hypothesis_internal_use_seed = seed
    failure = None
    try:
        run_state_machine_as_test(Machine, settings=unhurried(examples))
    except Exception as raised:
        story, error = Machine.broken or (Machine.last.story, raised)  # the first counts, if it does not come again
        what, trace = f"{type(error).__name__}: {error}", "".join(traceback.format_exception(error))
        failure = Failure(seed, what, shorter(story) if shorten else story, trace)
    Machine.broken = None
    _add(counts, CrashMachine.counts)
    return failure


def unhurried(examples: int) -> settings:
    """Settings under which machines run; stories are made shorter here, which knows what a step costs."""
    return settings(
        max_examples=examples, stateful_step_count=STEPS, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck), report_multiple_bugs=False, print_blob=False,
    )  # fmt: skip


def _add(counts: Counts, seen: Counter[str]) -> None:
    for name, count in seen.items():
        kind, _, what = name.partition(" ")
        if kind == "rule":
            counts.rules[what] += count
            counts.steps += count
            counts.examples += count if what == "open" else 0
        else:
            counts.deaths_at[what.removeprefix("at ")] += count
            counts.deaths += count


def recorded_examples() -> dict[str, Story]:
    """The corpus: small stories that once went wrong, in the engine or with a bug that was planted in it."""
    files = sorted(CORPUS.glob("*.json"))
    return {file.stem.replace("_", " "): json.loads(file.read_text()) for file in files}


def play(story: Story) -> None:
    """Do what a story says, as far as it is known what should come of it; raises what goes wrong."""
    machine = Machine()
    try:
        with suppress(UnsatisfiedAssumption):
            for name, details in story:
                getattr(Machine, name)(machine, **details)
    finally:
        machine.teardown()


def fails(story: Story) -> str | None:
    """What goes wrong in a story."""
    try:
        play(story)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def shorter(story: Story, patience_s: float = 20.0) -> Story:
    """Leave out what the failure does not need, as far as the time allows."""
    until, known = time.monotonic() + patience_s, 0
    while len(story) != known and time.monotonic() < until:
        known = len(story)
        for at in range(known - 1, 0, -1):
            less = story[:at] + story[at + 1 :]
            if time.monotonic() < until and fails(less):
                story = less
    return story
