"""Crash points of a scenario by name, which says more than a number and means the same if something comes in between.

"body.after charge 2": a body of `charge` has ended for the second time. "commit.before 1 after charge 2": the first
commit after that, which is most likely its checkpoint.
"""

from __future__ import annotations

from collections import Counter

THEN = ", then "
Deaths = tuple[str, ...]  # the point at which each life ends, one after the other


class Route:
    """The crash points that one engine passes, and the one where it ends."""

    def __init__(self, end: str | None) -> None:
        self.passed: list[str] = []
        self.end = end
        self.reached = False
        self._open = False
        self._counts: Counter[str] = Counter()  # of the points of each kind, since the last body except for bodies
        self._since = ""

    def begin(self) -> None:
        """Points count from here on."""
        self._open = True

    def close(self) -> None:
        """What comes now belongs to the test."""
        self._open = False

    def passes(self, point: str) -> bool:
        """Note a point; whether it is the end."""
        if not self._open or self.reached:
            return False
        name = self._name(point)
        self.passed.append(name)
        self.reached = name == self.end
        return self.reached

    def _name(self, point: str) -> str:
        self._counts[point] += 1
        numbered = f"{point} {self._counts[point]}"
        kind, _, step = numbered.partition(" ")
        if not kind.startswith("body."):
            return numbered + self._since
        self._since = f" {'in' if kind == 'body.before' else 'after'} {step}"
        self._counts = Counter({known: count for known, count in self._counts.items() if known.startswith("body.")})
        return numbered


def deaths_of(at: str) -> Deaths:
    """What `at=` says."""
    return tuple(part.strip() for part in at.split(THEN.strip()))


def described(deaths: Deaths) -> str:
    """What to write after `at=`."""
    return THEN.join(deaths)
