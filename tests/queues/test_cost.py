"""What a look at a queue costs does not depend on how much waits there, of whatever kind."""

import apsw
import pytest

import litewf
from litewf.store import queues
from tests.queues.lab import Lab


def cost(lab: Lab, look: str) -> int:
    """Instructions that SQLite runs to find what is first."""
    connection = apsw.Connection(str(lab.path), flags=apsw.SQLITE_OPEN_READONLY)
    count = 0

    def step() -> bool:
        nonlocal count
        count += 1
        return False

    connection.set_progress_handler(step, 1)
    try:
        for kind in list(queues.kinds(connection, "q")):
            if look == "all" or kind.name == look:
                queues.first_of(connection, "q", kind, 10)
        queues.busy(connection)
        return count
    finally:
        connection.close()


@pytest.mark.parametrize("look", ["all", "job"])
def test_finding_the_first_costs_the_same_for_few_and_for_many(lab: Lab, look: str) -> None:
    lab.engine.pause_queue("q")
    batch: list[tuple[object, ...]] = [(lab.job, "h", "q"), ("of others", 1)]
    old = lab.job.with_options(application_version="old")
    lab.engine.enqueue_many("q", [*batch, (old, "h", "q")] * 20)
    few = cost(lab, look)
    lab.engine.enqueue_many("q", [*batch, (old, "h", "q")] * 1500)
    assert cost(lab, look) < few * 1.2


def test_an_engine_finds_its_own_behind_thousands_of_others(lab: Lab) -> None:
    lab.options["recover"] = "matching"
    lab.crash()
    with litewf.Engine(lab.path, registry=lab.registry, application_version="old", queues=[]):
        old = lab.job.with_options(application_version="old")
        lab.engine.enqueue_many("q", [(old, "h", "q")] * 3000)
        mine = lab.enqueue("q")
        assert lab.running == {mine.workflow_id}
