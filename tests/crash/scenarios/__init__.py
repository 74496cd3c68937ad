"""What is killed at every commit: small workflows, each about one promise, sync and async."""

from tests.crash.explorer import Drive, Scenario
from tests.crash.life import Life
from tests.crash.scenarios import (
    branches,
    cancelling,
    children,
    cloud_events,
    events,
    messages,
    queues,
    schedules,
    steps,
    streams,
    tables,
    values,
    waits,
)  # fmt: skip
from tests.crash.scenarios.writing import SCENARIOS, driven

__all__ = [
    "SCENARIOS", "a_new_file", "branches", "cancelling", "children", "cloud_events", "events", "messages", "queues", "schedules",
    "steps", "streams", "tables", "the_smallest", "values", "waits",
]  # fmt: skip


def one_step(life: Life) -> Drive:
    @life.step
    def double(x: int) -> int:
        return 2 * x

    @life.workflow
    def main() -> int:
        return double(1)

    return driven(life, main, expect=2)


the_smallest = Scenario("one step", one_step)
a_new_file = Scenario("one step in a new file", one_step, fresh=True)
