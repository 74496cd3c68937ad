"""One case of one target: where its chances come from, where it may write, and what it has met."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

MEMORY = Path("/dev/shm")


@dataclass
class Case:
    """What a target is given; it says what happened by `met`."""

    target: str
    seed: int
    number: int
    folder: Path  # empty, and deleted afterwards
    cycles: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.target} {self.seed} {self.number}")

    def met(self, *kinds: str) -> None:
        """One cycle is over: these kinds of faults (or of input) occurred, and everything was as promised."""
        self.cycles += 1
        self.kinds.update(kinds)


def command(target: str, seed: int, number: int) -> str:
    """What runs a case again."""
    return f"python -m fuzz {target} --case {number} --seed {seed}"


@contextmanager
def opened(target: str, seed: int, number: int) -> Iterator[Case]:
    """A case with a folder, in memory where there is such a place."""
    folder = tempfile.mkdtemp(prefix="litewf-fuzz-", dir=MEMORY if MEMORY.is_dir() else None)
    try:
        yield Case(target, seed, number, Path(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(case: Case) -> None:
    """Run it; whatever it raises is a violation."""
    name = case.target if "." in case.target else f"fuzz.targets.{case.target}"
    import_module(name).run(case)
