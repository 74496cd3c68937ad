"""What the program defines beside its workflows goes to the file: the limits of queues, and schedules."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from litewf.engine import queues, schedules
from litewf.registry import Registry
from litewf.store.queues import QueueRow

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime


def defined(registry: Registry) -> tuple[object, ...]:
    """What there is now; it differs from an earlier answer if something was defined since."""
    return len(registry.workflows), tuple(registry.queues.values()), tuple(registry.schedules.values())


def define(runtime: Runtime) -> None:
    """Write what the file has otherwise, or not at all."""
    registry, writer = runtime.registry, runtime.store.writer
    rows = [QueueRow(*dataclasses.astuple(queue)) for queue in registry.queues.values()]
    if rows:
        writer.turn(queues.define(runtime, rows))
    if registry.schedules:
        writer.turn(schedules.define(runtime, registry.schedules.values()))
