"""Crash points of a scenario by name: "body.after charge 2" is the second time that a body of `charge` has ended.

A name says more than a number would, and means the same when other things happen in between.
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
        self._counts: Counter[str] = Counter()

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
        self._counts[point] += 1
        name = f"{point} {self._counts[point]}"
        self.passed.append(name)
        self.reached = name == self.end
        return self.reached


def deaths_of(at: str) -> Deaths:
    """What `at=` says."""
    return tuple(part.strip() for part in at.split(THEN.strip()))


def described(deaths: Deaths) -> str:
    """What to write after `at=`."""
    return THEN.join(deaths)
