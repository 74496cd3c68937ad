"""Exports without secrets: every value keeps its type and its place, and the run still replays."""

import dataclasses
import json
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel

import litewf
from litewf.redaction import redacted, secrets
from litewf.serialization import JsonSerializer
from litewf.testing import assert_replays

SECRET = "s3cret"
FOREVER = 1e9


class Colour(Enum):
    RED = "red"


@dataclasses.dataclass
class Card:
    number: str
    colour: Colour = Colour.RED


class Point(NamedTuple):
    label: str


class Customer(BaseModel):
    name: str
    age: int = 3


class RefusedError(Exception):
    def __init__(self, card: str) -> None:
        super().__init__(f"card {card}")
        self.card = card


VALUES: list[Any] = [
    SECRET, 5, 2.5, [SECRET], {"key": SECRET}, (SECRET, 1), {SECRET}, frozenset([SECRET]), b"s3cret", Decimal("7.77"),
    Fraction(7, 9), UUID(int=77), Path(SECRET), timedelta(days=77), datetime(1977, 7, 7, 7, tzinfo=UTC), date(1977, 7, 7),
    OrderedDict(a=SECRET), Counter(a=77), defaultdict(list, a=[SECRET]), deque([SECRET], 3), {1: SECRET}, Card(SECRET),
    Point(SECRET), Customer(name=SECRET, age=77), 1j, 1 << 5000, float("inf"), "s3cret\ud800",
]  # fmt: skip
KEPT: list[Any] = [True, None, Colour.RED, litewf.WorkflowHandle("w")]


def hidden(value: Any, redact: Any = "*") -> Any:
    """The value as an export without secrets has it."""
    codec = JsonSerializer()
    history = _history(codec.encode({"args": [value], "kwargs": {}})[0])
    is_secret = secrets(redact)
    assert is_secret is not None
    found = codec.decode(redacted(history, is_secret).input)
    return found["args"][0]  # type: ignore[index]  # an input is a dict


def _history(input: str) -> litewf.History:
    return litewf.History("w", "flow", "PENDING", None, "1", 1, None, (), 0, 0, None, input, None, None, (), ())


@pytest.mark.parametrize(
    "value", VALUES, ids=lambda value: f"{type(value).__name__} {value!r:.12}".replace("\ud800", "")
)
def test_a_hidden_value_is_another_one_of_the_same_type(value: Any) -> None:
    found = hidden(value)
    assert type(found) is type(value)
    assert found != value
    assert not {SECRET, "1977", "77"} & set(repr(found).replace("'", " ").replace("-", " ").split())


@pytest.mark.parametrize("value", KEPT, ids=repr)
def test_what_is_no_secret_stays(value: Any) -> None:
    assert hidden(value) == value


def test_the_fields_of_an_object_are_hidden_one_by_one() -> None:
    card = Card(SECRET)
    assert hidden(card, "*.number") == Card("redacted")
    assert hidden(card, "*.colour") == card
    assert hidden({"card": card, "name": "anna"}, "input.args.0.card") == {"card": Card("redacted"), "name": "anna"}
    assert hidden(["a", 1], lambda _, value: isinstance(value, str)) == ["redacted", 1]
    assert hidden([{"a": 1, "b": 2}], ["*.a", "nothing"]) == [{"a": 0, "b": 2}]


@pytest.mark.parametrize("redact", [5, [5], [None]], ids=repr)
def test_anything_else_than_patterns_or_a_function_is_refused(redact: Any) -> None:
    with pytest.raises(TypeError):
        secrets(redact)


def test_a_run_with_everything_hidden_replays_and_holds_no_secret(path: Path, registry: litewf.Registry) -> None:
    @registry.workflow(name="child")
    def child(card: Card) -> str:
        return card.number

    @registry.step(name="charge", max_retries=2, base_interval=0)
    def charge(card: Card) -> dict[str, str]:
        if litewf.attempt() < 2:
            raise RefusedError(card.number)
        return {"receipt": card.number}

    @registry.step(name="refuse")
    def refuse(card: Card) -> None:
        raise RefusedError(card.number)

    @registry.workflow(name="flow")
    def flow(card: Card) -> str:
        handles = [litewf.start_workflow(child, card) for _ in range(2)]
        litewf.wait_all(handles)
        litewf.wait_first(handles)
        charge(card)
        try:
            refuse(card)
        except RefusedError as error:
            litewf.write_stream("log", str(error))
        litewf.close_stream("log")
        list(litewf.read_stream(litewf.workflow_id(), "log"))
        litewf.set_event("card", card)
        litewf.get_event(litewf.workflow_id(), "card")
        litewf.send(litewf.workflow_id(), card.number)
        litewf.recv()
        if litewf.patch("p"):
            litewf.uuid()
        late(card)
        return card.number

    @registry.step(name="late", max_retries=1, base_interval=FOREVER, max_interval=FOREVER)
    def late(card: Card) -> None:
        raise RefusedError(card.number)

    with litewf.Engine(path, registry=registry, linger=0) as engine:
        started = flow.with_options(authenticated_user=SECRET, authenticated_roles=[SECRET])
        handle = engine.start_workflow(started, Card(SECRET))
        engine.wait_until_idle()
        plain = engine.export_workflow(handle.workflow_id)
        history = engine.export_workflow(handle.workflow_id, redact="*")
    assert plain.to_json().count(SECRET) > 10
    assert SECRET not in history.to_json()
    assert (plain.redacted, history.redacted) == (False, True)
    assert [row.name for row in plain.steps] == [row.name for row in history.steps]
    for one in (plain, history, litewf.History.from_json(history.to_json())):
        assert_replays(one, flow)
    document = json.loads(history.to_json())
    assert document["user"] == "redacted"
    assert document["roles"] == ["redacted"]


def test_values_of_a_serializer_that_writes_no_json_are_hidden_whole() -> None:
    history = _history("not { json")
    assert litewf.History.from_json(history.to_json()) == history
    is_secret = secrets("input")
    assert is_secret is not None
    assert redacted(history, is_secret).input == "redacted"
