"""A stage for engines: one file, one registry, a clock that a test moves by hand, and a signal at each commit.

`with stage.engine() as engine` runs an engine there, one after the other or several at once. `stage.until(check)` waits,
without sleeping, for the commit after which `check()` is true.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import litewf
from litewf.testing import START as NOON
from litewf.testing import VirtualClock
from litewf.world import Entropy, World

__all__ = ["NOON", "PATIENCE_S", "Stage"]

PATIENCE_S = 20.0  # real seconds, after which a test gives up


class Stage:
    """Where a test runs its engines."""

    def __init__(self, path: Path, registry: litewf.Registry) -> None:
        self.path = path
        self.registry = registry
        self.clock = VirtualClock(mode="driven", despite_bodies=True)
        self._committed = threading.Condition()
        self._commits = 0

    @property
    def commits(self) -> int:
        """How many transactions there were."""
        return self._commits

    def engine(self, **options: Any) -> litewf.Engine:
        """An engine that parks at every wait, unless told otherwise."""
        world = World(self.clock, Entropy(), self._reached)
        return litewf.Engine(self.path, **{**self._defaults(world), **options})

    def _defaults(self, world: World) -> dict[str, Any]:
        return {"registry": self.registry, "world": world, "linger": 0, "durability": "normal"}

    def until(self, check: Callable[[], object]) -> None:
        """Wait for the commit after which `check()` is true."""
        seen = -1
        while not check():
            with self._committed:
                if seen == self._commits and not self._committed.wait(PATIENCE_S):
                    raise AssertionError(f"nothing was committed for {PATIENCE_S:g} s, and {check} is still not true")
                seen = self._commits

    def asleep(self, handle: litewf.WorkflowHandle[Any]) -> None:
        """Wait until the workflow is parked until a time that is still to come."""
        self.until(lambda: any(wait.until and wait.until > self.clock.now for wait in handle.get_status().waiting_on))

    def parked(self, handle: litewf.WorkflowHandle[Any]) -> None:
        """Wait until a workflow has left memory."""
        self.until(lambda: handle.get_status().waiting_on)

    def _reached(self, point: str) -> None:
        if point.endswith(".after"):
            with self._committed:
                self._commits += 1
                self._committed.notify_all()
