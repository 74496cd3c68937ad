"""as_type= of wait_event: pydantic, dataclass, msgspec; what does not fit counts as taken here, and stays for others."""

from dataclasses import dataclass, field

import pydantic
import pytest
from typing_extensions import TypedDict

import litewf
from tests.communication.acting import start
from tests.stage import Stage

msgspec = pytest.importorskip("msgspec")


class Address(pydantic.BaseModel):
    city: str


class Model(pydantic.BaseModel):
    id: int
    address: Address


@dataclass
class Place:
    city: str


@dataclass
class Data:
    id: int
    address: Place
    tags: list[str] = field(default_factory=list)


class Struct(msgspec.Struct):
    id: int
    address: dict[str, str]


class Typed(TypedDict):
    id: int
    address: dict[str, str]


GOOD = {"id": 7, "address": {"city": "Ulm"}}
TYPES = {
    "pydantic": (Model, Model(id=7, address=Address(city="Ulm"))),
    "dataclass": (Data, Data(7, Place("Ulm"))),
    "msgspec": (Struct, Struct(7, {"city": "Ulm"})),
    "typed dict": (Typed, GOOD),
    "union": (Model | int, Model(id=7, address=Address(city="Ulm"))),
}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("flavor", ["sync", "async"])
def test_data_that_fits_is_of_the_type_and_replays_so(stage: Stage, registry, kind, flavor):
    as_type, expected = TYPES[kind]
    seen = []

    @registry.workflow(name="main")
    def sync_main():
        seen.append(litewf.wait_event("t", as_type=as_type).data)
        litewf.sleep(1)
        return seen[-1]

    @registry.workflow(name="async main")
    async def async_main():
        seen.append((await litewf.wait_event_async("t", as_type=as_type)).data)
        await litewf.sleep_async(1)
        return seen[-1]

    with stage.engine() as engine:
        handle = start(engine, sync_main if flavor == "sync" else async_main, "w")
        engine.publish_event("t", GOOD)
        stage.asleep(handle)
        stage.clock.move(1)
        assert handle.get_result(timeout=20) == expected
        assert len(seen) >= 2 and seen == [expected] * len(seen)
        assert {type(one) for one in seen} == {type(expected)}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("wrong", [{"id": "x", "address": {}}, [], None, "text"], ids=repr)
def test_a_wrong_payload_is_a_recorded_refusal_and_stays_for_others(stage: Stage, registry, kind, wrong):
    """The event counts as taken by this workflow: the next wait gets the next event."""
    as_type, expected = TYPES[kind]
    refusals = []

    @registry.workflow
    def main():
        with pytest.raises(litewf.PayloadError) as refused:
            litewf.wait_event("t", as_type=as_type)
        refusals.append(str(refused.value))
        litewf.sleep(1)
        return litewf.wait_event("t", as_type=as_type).data

    @registry.workflow
    def other():
        return litewf.wait_event("t").data

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        second = start(engine, other, "o")
        engine.publish_event("t", wrong)
        stage.asleep(handle)
        assert type(engine.list_steps("w")[0].error) is litewf.PayloadError
        engine.publish_event("t", GOOD)
        stage.clock.move(1)
        assert handle.get_result(timeout=20) == expected
        assert second.get_result(timeout=20) == wrong
        assert len(set(refusals)) == 1


def test_what_a_validator_raises_is_a_refusal_too(stage: Stage, registry):
    class Strange(pydantic.BaseModel):
        id: int

        @pydantic.field_validator("id")
        @classmethod
        def check(cls, value):
            raise KeyError(value)

    @registry.workflow
    def main():
        with pytest.raises(litewf.PayloadError):
            litewf.wait_event("t", as_type=Strange)
        return litewf.wait_event("t", timeout=0, default="taken")

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        engine.publish_event("t", {"id": 1})
        assert handle.get_result(timeout=20) == "taken"


def test_what_cannot_be_recorded_after_the_conversion_is_a_recorded_outcome(stage: Stage, registry):
    """The type makes something that no record can hold: the wait fails once, and replays the same."""
    refusals = []

    class Handle:
        def __init__(self, value):
            self.value = value

        @classmethod
        def __get_pydantic_core_schema__(cls, source, handler):
            from pydantic_core import core_schema

            return core_schema.no_info_plain_validator_function(lambda value: lambda: value)

    @registry.workflow
    def main():
        try:
            litewf.wait_event("t", as_type=Handle)
        except litewf.LitewfError as error:
            refusals.append(type(error))
        litewf.sleep(1)
        return "went on"

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        engine.publish_event("t", {"id": 1})
        stage.asleep(handle)
        stage.clock.move(1)
        assert handle.get_result(timeout=20) == "went on"
        assert [step.step_id for step in engine.list_steps("w")] == ["1", "2"]
        assert len(set(refusals)) == 1 and len(refusals) >= 2


@pytest.mark.parametrize(
    "data", [Model(id=7, address=Address(city="Ulm")), Data(7, Place("Ulm")), Struct(7, {"city": "Ulm"})],
    ids=["pydantic", "dataclass", "msgspec"],
)  # fmt: skip
def test_where_looks_into_objects_and_the_objects_arrive(stage: Stage, registry, data):
    @registry.workflow
    def main():
        return litewf.wait_event("t", where={"id": 7, "address.city": ["Bonn", "Ulm"]}).data

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.parked(handle)
        engine.publish_event("t", {"id": 7, "address": {"city": "Rom"}})
        engine.publish_event("t", data)
        found = handle.get_result(timeout=20)
        assert found == data
        assert type(found) is type(data)
