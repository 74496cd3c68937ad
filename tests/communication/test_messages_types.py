"""`recv(as_type=...)`: a message as the type that the workflow asks for, or a recorded refusal."""

import dataclasses
import sys
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
import pydantic
import pytest
from typing_extensions import TypedDict

import litewf
from tests.communication.acting import start, start_parked
from tests.stage import Stage


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Model(pydantic.BaseModel):
    x: int

    @pydantic.field_validator("x")
    @classmethod
    def _not_seven(cls, x):
        if x == 7:
            raise RuntimeError("validators may raise anything")
        return x


class Struct(msgspec.Struct):
    x: int


class Plain:
    def __init__(self, x):
        self.x = x

    def __eq__(self, other):
        return type(other) is Plain and vars(other) == vars(self)

    __hash__ = None


class Shape(TypedDict):
    x: int


FITS = [
    pytest.param(int, 1, 1, id="int"),
    pytest.param(Point, {"x": "1"}, Point(1), id="dataclass from data"),
    pytest.param(Point, Point(1, 2), Point(1, 2), id="dataclass"),
    pytest.param(Model, {"x": 1}, Model(x=1), id="pydantic from data"),
    pytest.param(Model, Model(x=1), Model(x=1), id="pydantic"),
    pytest.param(Struct, {"x": 1}, Struct(1), id="msgspec from data"),
    pytest.param(Struct, Struct(1), Struct(1), id="msgspec"),
    pytest.param(Struct | None, {"x": 1}, Struct(1), id="union of a msgspec Struct"),
    pytest.param(list[Struct], [{"x": 1}], [Struct(1)], id="list of msgspec Structs"),
    pytest.param(Plain, Plain(1), Plain(1), id="plain class"),
    pytest.param(Plain | None, None, None, id="union of a plain class"),
    pytest.param(list[Plain], [Plain(1)], [Plain(1)], id="list of a plain class"),
    pytest.param(int | None, None, None, id="None in a union"),
    pytest.param(Point | Model, {"x": 1}, Point(1), id="union"),
    pytest.param(Shape, {"x": 1}, {"x": 1}, id="TypedDict"),
    pytest.param(tuple[int, ...], [1, 2], (1, 2), id="tuple from a list"),
    pytest.param(Literal["yes", "no"], "yes", "yes", id="literal"),
    pytest.param(Annotated[int, pydantic.Field(gt=3)], 4, 4, id="annotated"),
]
REFUSED = [
    pytest.param(int, "seven", id="int"),
    pytest.param(Point, {"y": 1}, id="dataclass"),
    pytest.param(Model, {"x": "seven"}, id="pydantic"),
    pytest.param(Model, {"x": 7}, id="pydantic validator that raises something else"),
    pytest.param(Struct, {"x": "1"}, id="msgspec"),
    pytest.param(Struct | None, 5, id="union of a msgspec Struct"),
    pytest.param(Plain, {"x": 1}, id="plain class"),
    pytest.param(list[Plain], [1], id="list of a plain class"),
    pytest.param(int | None, "x", id="union"),
    pytest.param(Shape, {}, id="TypedDict"),
    pytest.param(Literal["yes"], "no", id="literal"),
    pytest.param(int, None, id="None"),
]


@pytest.fixture(params=["sync", "async"])
def asking(request, registry):
    """Receives a message as a type, sleeps, and receives one as it is."""
    registry.type(Plain)
    runs = []

    def outcome(get):
        try:
            return get()
        except litewf.PayloadError as error:
            return error

    def define(as_type):
        @registry.workflow(name="asking")
        def asking():
            got = outcome(lambda: litewf.recv(as_type=as_type))
            runs.append(got)
            litewf.sleep(10)
            return got, litewf.recv(timeout=0, default="nothing")

        @registry.workflow(name="asking async")
        async def asking_async():
            try:
                got = await litewf.recv_async(as_type=as_type)
            except litewf.PayloadError as error:
                got = error
            runs.append(got)
            await litewf.sleep_async(10)
            return got, await litewf.recv_async(timeout=0, default="nothing")

        return asking if request.param == "sync" else asking_async

    define.runs = runs
    return define


@pytest.mark.parametrize(("as_type", "sent", "got"), FITS)
def test_a_message_that_fits_comes_as_the_type(stage: Stage, asking, as_type, sent, got):
    with stage.engine() as engine:
        handle = start(engine, asking(as_type), "w")
        engine.send("w", sent)
        stage.asleep(handle)
        stage.clock.move(10)
        assert handle.get_result() == (got, "nothing")
    assert len(asking.runs) > 1
    for value in asking.runs:
        assert value == got
        assert type(value) is type(got)


@pytest.mark.parametrize(("as_type", "sent"), REFUSED)
def test_a_message_that_does_not_fit_is_consumed_and_the_refusal_replays(stage: Stage, asking, as_type, sent):
    with stage.engine() as engine:
        handle = start(engine, asking(as_type), "w")
        engine.send_bulk([litewf.Message("w", sent), litewf.Message("w", "the next")])
        stage.asleep(handle)
        assert engine.query("SELECT taken_by FROM message ORDER BY key") == [("1",), (None,)]
        assert isinstance(engine.list_steps("w")[0].error, litewf.PayloadError)
        stage.clock.move(10)
        error, following = handle.get_result()
    assert (type(error), following) == (litewf.PayloadError, "the next")
    assert "what arrived does not fit" in str(error)
    assert {str(run) for run in asking.runs} == {str(error)}


@pytest.mark.parametrize("sent", [{"x": 1}, {"x": "one"}], ids=["fits", "does not"])
def test_what_was_received_replays_the_same_although_the_type_has_changed(stage: Stage, registry, sent):
    as_type = [Model]
    runs = []

    @registry.workflow
    def main():
        try:
            got = litewf.recv(as_type=as_type[0])
        except litewf.PayloadError as error:
            got = str(error)
        runs.append(got)
        litewf.sleep(10)

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        engine.send("w", sent)
        stage.asleep(handle)
        as_type[0] = str
        stage.clock.move(10)
        handle.get_result()
    assert len(runs) == 2
    assert runs[0] == runs[1]


def test_a_converted_value_that_cannot_be_recorded_is_a_recorded_refusal(stage: Stage, registry):
    runs = []

    @registry.workflow
    def main():
        try:
            litewf.recv(as_type=Iterable[int])  # pydantic makes a lazy iterator of it
        except litewf.SerializationError as error:
            runs.append(str(error))
        litewf.sleep(10)
        return litewf.recv(timeout=0, default="nothing")

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        engine.send("w", [1])
        stage.asleep(handle)
        stage.clock.move(10)
        assert handle.get_result() == "nothing"
    assert runs[0] == runs[1]


NO_TYPES = {
    "int": 42,
    "object": object(),
    "list": [int],
    "name": "no such name",
    "generic": list["nothing"],  # noqa: F821 - that is the point
}


@pytest.mark.parametrize("as_type", [pytest.param(value, id=name) for name, value in NO_TYPES.items()])
def test_what_is_no_type_is_refused_before_anything_is_written(stage: Stage, registry, as_type):
    @registry.workflow
    def main():
        try:
            litewf.recv(as_type=as_type)
        except TypeError as error:
            return str(error)

    with stage.engine() as engine:
        assert "as_type" in start(engine, main, "w").get_result()
        assert engine.list_steps("w") == []


def test_a_message_of_an_unknown_class_holds_the_workflow_and_is_not_consumed(stage: Stage, registry):
    module = type(sys)("passing_by")
    exec("class Letter:\n    x = 0\n", module.__dict__)
    module.Letter.__module__ = "passing_by"
    sys.modules["passing_by"] = module
    letter = module.Letter()
    letter.x = 5

    @registry.workflow
    def main():
        return litewf.recv().x

    try:
        other = litewf.Registry()
        other.type(module.Letter, name="letter")
        with stage.engine() as engine:
            start_parked(stage, engine, main, "w")
            with stage.engine(registry=other) as sender:
                sender.send("w", letter)
            handle = engine.retrieve_workflow("w")
            with pytest.raises(litewf.WorkflowHeldError, match="letter"):
                handle.get_result()
            assert engine.query("SELECT taken_by FROM message") == [(None,)]
            assert "step 1 (litewf.recv)" in handle.get_status().held
            registry.type(module.Letter, name="letter")
            engine.resume_workflow("w")
            assert handle.get_result() == 5
    finally:
        del sys.modules["passing_by"]


ODD = {
    "negative zero": -0.0,
    "infinity": float("inf"),
    "2**63": 2**63,
    "10**400": 10**400,
    "True": True,
    "bytes": b"\0\xff",
    "empty": ((), [], {}, set(), "", b""),
    "int keys": {1: "a", None: "b"},
    "a key that looks like a tag": {"$tuple": [1]},
    "lone surrogate": "\ud800",
    "NUL": "a\0b",
    "nested": [[[[[[[[{"a": ({1, 2},)}]]]]]]]],
    "a megabyte": "x" * 1_000_000,
}


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in ODD.items()])
def test_odd_values_come_as_they_were_sent_and_shown(stage: Stage, registry, value):
    @registry.workflow
    def main():
        got = litewf.recv()
        litewf.set_event("k", got)
        return got, litewf.get_event(litewf.workflow_id(), "k")

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        engine.send("w", value)
        for got in (*handle.get_result(), engine.get_event("w", "k"), engine.get_all_events("w")["k"]):
            assert repr(got) == repr(value)
