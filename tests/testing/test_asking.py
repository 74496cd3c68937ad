"""What a test asks of an engine, and what it is told when the answer is no."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import litewf
from litewf.testing import START, MortalEngine, assert_started, assert_waiting, drain


@pytest.fixture
def engine(path: Path, registry: litewf.Registry) -> Iterator[MortalEngine]:
    litewf.Queue("mails", registry=registry)
    with MortalEngine(path, registry=registry) as running:
        yield running


@pytest.fixture
def ship(registry: litewf.Registry) -> Any:
    @registry.workflow(name="ship")
    def ship(order: str, *, express: bool = False) -> str:
        return f"{order} is on its way"

    return ship


@pytest.fixture
def order(registry: litewf.Registry, ship: Any) -> Any:
    @registry.workflow(name="order")
    def order(name: str) -> str:
        litewf.recv("paid", timeout=86_400, default="late")
        litewf.start_workflow(ship, name)
        litewf.enqueue("mails", ship, "a mail")
        return name

    return order


def test_what_was_started_is_found_by_name_arguments_parent_and_queue(engine: Any, order: Any, ship: Any) -> None:
    assert_started(engine, ship, count=0)
    handle = engine.start_workflow(order.with_options(workflow_id="o"), "grinder")
    drain(engine)
    assert [status.workflow_id for status in assert_started(engine, order, "grinder")] == ["o"]
    assert_started(engine, ship, "grinder", parent=handle, count=1)
    assert_started(engine, "ship", "a mail", parent="o", queue="mails")
    assert_started(engine, ship, count=2)
    assert_started(engine, ship, "milk jug", count=0)


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        ((), {"count": 3}, "ship was not started 3 times, but 1 times; of ship there are: s SUCCESS"),
        (
            ("milk",),
            {},
            r"ship\('milk'\) was not started at all, but 0 times; of ship there are: s SUCCESS \('grinder',\)",
        ),
        ((), {"queue": "mails"}, "ship was not started at all on queue 'mails', but 0 times; of ship there are: none"),
        ((), {"count": 0}, "ship was not started 0 times, but 1 times"),
    ],
    ids=["count", "arguments", "queue", "never"],
)
def test_what_was_not_started_is_told_with_what_was(
    args: Any, options: Any, message: str, engine: Any, ship: Any
) -> None:
    engine.run_workflow(ship.with_options(workflow_id="s"), "grinder")
    with pytest.raises(AssertionError, match=message):
        assert_started(engine, ship, *args, **options)


def test_what_a_workflow_waits_for(engine: Any, order: Any) -> None:
    handle = engine.start_workflow(order, "grinder")
    wait = assert_waiting(engine, handle)
    assert (wait.what, wait.until) == ("a message on topic 'paid'", START + timedelta(days=1))
    assert_waiting(engine, handle.workflow_id, "paid", until=START + timedelta(days=1))
    assert engine.clock.now == START, "to ask takes no time"


def test_a_workflow_that_waits_for_something_else(engine: Any, order: Any) -> None:
    engine.start_workflow(order.with_options(workflow_id="o"), "grinder")
    with pytest.raises(AssertionError, match="'o' does not wait for shipping, but for a message on topic 'paid' until"):
        assert_waiting(engine, "o", "shipping")


def test_a_workflow_that_waits_for_nothing(engine: Any, ship: Any) -> None:
    engine.run_workflow(ship.with_options(workflow_id="s"), "grinder")
    with pytest.raises(AssertionError, match="workflow 's' does not wait, it is SUCCESS; its steps: none"):
        assert_waiting(engine, "s")


def test_an_engine_on_real_time_cannot_be_drained(path: Path, registry: litewf.Registry) -> None:
    with (
        litewf.Engine(path, registry=registry) as engine,
        pytest.raises(litewf.UsageError, match=r"give it clock=litewf.testing.VirtualClock\(\)"),
    ):
        drain(engine)
