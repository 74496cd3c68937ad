"""What the program defines, written down for others: the workflows that this engine has the code of, its queues and
its schedules.

The launch does it, and the dispatcher for what is defined later. A queue is written when its definition is new or has
changed, so that limits which were changed at run time stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from litewf.definitions import QueueDefinition, ScheduleDefinition
from litewf.engine import queues, schedules
from litewf.store import executors
from litewf.store.queues import QueueRow

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


class Announcing:
    """What others know of the definitions of this engine."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._workflows = len(runtime.registry.workflows)  # the launch has written these
        self._queues: dict[str, QueueDefinition] = {}
        self._schedules: dict[str, ScheduleDefinition] = {}

    def run_once(self) -> None:
        """Write down what is new."""
        registry, writer = self._runtime.registry, self._runtime.store.writer
        if len(registry.workflows) != self._workflows:
            count = len(registry.workflows)
            executor = self._runtime.able.executor
            writer.turn(lambda tx: executors.announce(tx, executor, registry.workflows.keys()))
            self._workflows = count
        if registry.queues != self._queues:
            defined = dict(registry.queues)
            new = [one for name, one in defined.items() if self._queues.get(name) != one]
            rows = [QueueRow(*one) for one in new]
            writer.turn(queues.define(self._runtime, rows))
            self._queues = defined
        if registry.schedules != self._schedules:
            all_of_them = dict(registry.schedules)
            changed = [one for name, one in all_of_them.items() if self._schedules.get(name) != one]
            writer.turn(schedules.define(self._runtime, changed))
            self._schedules = all_of_them
