"""What comes back from a workflow and a step: equal copies of the same type, live and replayed alike."""

import dataclasses
import enum
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pydantic
import pytest

import litewf

from .support import NAP, Flavor, names

Launch = Callable[..., litewf.Engine]


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Order:
    sku: int
    tags: set[str]
    lines: list["Line"]


@dataclasses.dataclass(frozen=True)
class Line:
    price: Decimal
    colour: Colour


class Person(pydantic.BaseModel):
    name: str
    born: date
    friends: list["Person"] = []


class Point(NamedTuple):
    x: float
    y: float


VALUES: list[Any] = [
    None, True, 5, 2**70, -0.5, "text ☃", b"\0bytes", [], {}, (), [1, (2, [3])], {"a": {"b": 1}}, {1: "one"},
    {1, 2}, frozenset({3}), datetime(2026, 1, 2, 3, 4, 5, 6, UTC), date(2026, 1, 2), timedelta(seconds=1.5),
    uuid.UUID(int=7), Decimal("1.10"), Path("/tmp/x"), Colour.RED, Point(1.0, 2.0), Line(Decimal(1), Colour.RED),
    Order(7, {"a", "b"}, [Line(Decimal("9.90"), Colour.RED)]), float("inf"),
    Person(name="Ann", born=date(2000, 1, 1), friends=[Person(name="Bob", born=date(2001, 1, 1))]),
    litewf.WorkflowHandle("w"),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_arguments_and_results_come_back_equal_and_of_the_same_type(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, value: Any
) -> None:
    seen = []

    @flavor.step(registry)
    def echo(given: Any) -> Any:
        return given

    @flavor.workflow(registry)
    def flow(do: Any, given: Any, *, other: Any) -> Any:
        found = yield do(echo, given)
        seen.append((given, other, found))
        yield do.sleep(NAP)
        return [given, other, found]

    results = launch().run_workflow(flow, value, other=value)
    assert len(seen) == 2
    for found in (*seen[0], *seen[1], *results):
        assert found == value
        assert type(found) is type(value)


def test_arguments_without_keywords_come_back_each_as_its_type(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    given = (*VALUES, '"$tuple":', {"$tuple": [1]}, [{"$": Point(3.0, 4.0)}])
    seen = []

    @flavor.workflow(registry)
    def flow(do: Any, *found: Any) -> Any:
        seen.append(found)
        yield do.sleep(NAP)

    launch().run_workflow(flow, *given)
    assert seen == [given, given]
    assert [[type(value) for value in found] for found in seen] == [[type(value) for value in given]] * 2


def test_what_a_workflow_does_to_a_result_does_not_change_the_record(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    kept: list[Any] = [[1], {"a": 1}]
    seen = []

    @flavor.step(registry)
    def make() -> list[Any]:
        return kept

    @flavor.workflow(registry)
    def flow(do: Any, given: list[Any]) -> Any:
        found = yield do(make)
        seen.append((list(found), list(given)))
        assert found is not kept
        found.append("changed")
        given.append("changed")
        kept.append("changed outside")
        yield do.sleep(NAP)
        return found

    argument = [1, 2]
    engine = launch()
    handle = engine.start_workflow(flow, argument)
    argument.append(3)
    assert handle.get_result() == [[1], {"a": 1}, "changed"]
    assert seen == [([[1], {"a": 1}], [1, 2])] * 2
    assert handle.get_status().input == litewf.WorkflowInput(([1, 2],), {})


def test_a_step_gets_the_arguments_themselves(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    """They are not recorded, so they may be anything."""

    @flavor.step(registry)
    def fill(target: list[int]) -> int:
        target.append(5)
        return len(target)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        target: list[int] = []
        return (yield do(fill, target)), target

    assert launch().run_workflow(flow) == (1, [5])


# --- what cannot be recorded --------------------------------------------------------------------------------------

cycle: list[Any] = []
cycle.append(cycle)
UNRECORDABLE: list[Any] = [
    object(), lambda: 1, (x for x in ""), cycle, {"a": [object()]}, threading.Lock(), open,
]  # fmt: skip


@pytest.mark.parametrize("value", UNRECORDABLE, ids=lambda value: type(value).__name__)
def test_a_result_that_cannot_be_recorded_is_an_error_in_the_workflow_at_that_step(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, value: Any
) -> None:
    bodies = []

    @flavor.step(registry, name="make")
    def make() -> Any:
        bodies.append(1)
        return value

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        texts = []
        try:
            yield do(make)
        except litewf.SerializationError as error:
            texts.append(str(error))
        yield do.sleep(NAP)
        return texts

    engine = launch()
    handle = engine.start_workflow(flow.with_options(workflow_id="w"))
    (text,) = handle.get_result()
    assert "value" in text
    assert bodies == [1]
    assert names(engine, "w")[0] == ("1", "make")


@pytest.mark.parametrize("value", UNRECORDABLE, ids=lambda value: type(value).__name__)
def test_a_workflow_whose_result_cannot_be_recorded_fails(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, value: Any
) -> None:
    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do.sleep(0)
        return value

    engine = launch()
    handle = engine.start_workflow(flow.with_options(workflow_id="w"))
    with pytest.raises(litewf.SerializationError) as info:
        handle.get_result()
    assert any("result of workflow 'w'" in note for note in info.value.__notes__)
    assert handle.get_status().status == "ERROR"


@pytest.mark.parametrize("value", UNRECORDABLE, ids=lambda value: type(value).__name__)
def test_an_argument_that_cannot_be_recorded_is_refused_before_anything_is_written(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, value: Any
) -> None:
    @flavor.workflow(registry)
    def flow(do: Any, given: Any) -> Any:
        yield do.sleep(0)

    engine = launch()
    with pytest.raises(litewf.SerializationError, match="args"):
        engine.start_workflow(flow, value)
    with pytest.raises(litewf.SerializationError, match="kwargs"):
        engine.start_workflow(flow, given=value)
    with pytest.raises(litewf.SerializationError):
        engine.start_workflows([(flow, 1), (flow, value)])
    assert engine.list_workflows() == []


def test_a_child_whose_argument_cannot_be_recorded_is_refused_and_nothing_is_written(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.workflow(registry)
    def child(do: Any, given: Any) -> Any:
        yield do.sleep(0)

    @flavor.workflow(registry)
    def parent(do: Any) -> Any:
        texts = []
        for call in (do.start_workflow(child, object()), do(child, object())):
            try:
                yield call
            except litewf.SerializationError as error:
                texts.append(str(error))
        yield do.sleep(NAP)
        return texts

    engine = launch()
    assert len(engine.run_workflow(parent)) == 2
    assert len(engine.list_workflows()) == 1
