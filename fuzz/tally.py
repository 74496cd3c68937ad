"""What a run has met so far, and how it is told: a line while it runs, a table at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

SHOWN = 20  # violations with their traceback; beyond, only the commands


@dataclass(frozen=True)
class Violation:
    """A case that broke a promise: what it said, and what runs it again."""

    target: str
    command: str
    story: str


@dataclass
class Score:
    """Of one target."""

    cases: int = 0
    cycles: int = 0
    seconds: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    violations: int = 0


@dataclass
class Tally:
    """Of all targets."""

    seed: int
    scores: dict[str, Score] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)

    def of(self, target: str) -> Score:
        return self.scores.setdefault(target, Score())

    def done(self, target: str, cycles: int, kinds: Counter[str], seconds: float) -> None:
        """A case has ended, well or not."""
        score = self.of(target)
        score.cases += 1
        score.cycles += cycles
        score.seconds += seconds
        score.kinds.update(kinds)

    def failed(self, violation: Violation) -> None:
        self.violations.append(violation)
        self.of(violation.target).violations += 1

    def line(self, elapsed_s: float) -> str:
        """Where it stands."""
        cases = sum(score.cases for score in self.scores.values())
        cycles = sum(score.cycles for score in self.scores.values())
        kinds = sum(len(score.kinds) for score in self.scores.values())
        minutes, seconds = divmod(int(elapsed_s), 60)
        return (
            f"{minutes}:{seconds:02d}  {cycles:,} cycles in {cases:,} cases, {kinds} kinds,"
            f" {len(self.violations)} violations"
        )

    def table(self) -> Iterator[str]:
        """Every target, every kind, and what broke."""
        yield f"{'target':<16}{'cases':>10}{'cycles':>12}{'cycles/s':>10}{'violations':>12}"
        for name, score in self.scores.items():
            rate = score.cycles / score.seconds if score.seconds else 0.0
            yield f"{name:<16}{score.cases:>10,}{score.cycles:>12,}{rate:>10,.0f}{score.violations:>12,}"
        cycles = sum(score.cycles for score in self.scores.values())
        cases = sum(score.cases for score in self.scores.values())
        yield f"{'all':<16}{cases:>10,}{cycles:>12,}{'':>10}{len(self.violations):>12,}"
        yield ""
        for name, score in self.scores.items():
            yield f"{name} met"
            for kind, times in sorted(score.kinds.items(), key=lambda item: (-item[1], item[0])):
                yield f"{times:>12,}  {kind}"
        yield ""
        yield f"seed {self.seed}, {len(self.violations)} violations"
        for violation in self.violations[SHOWN:]:
            yield f"  {violation.command}"
