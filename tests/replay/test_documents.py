"""The document of an export: readable, the same for the same run, and refused with one line if it is something else."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import litewf
from litewf.testing import assert_replays
from tests.replay.runs import FOREVER


@pytest.fixture
def flow(registry: litewf.Registry) -> Any:
    @registry.step(name="charge")
    def charge(order: dict[str, int]) -> str:
        return f"receipt for {order['sku']}"

    @registry.workflow(name="checkout")
    def checkout(order: dict[str, int]) -> None:
        charge(order)
        litewf.sleep(FOREVER)

    return checkout


@pytest.fixture
def history(path: Path, registry: litewf.Registry, flow: Any) -> litewf.History:
    with litewf.Engine(path, registry=registry, linger=0) as engine:
        engine.start_workflow(flow.with_options(workflow_id="order-1"), {"sku": 7})
        engine.wait_until_idle()
        return engine.export_workflow("order-1")


def test_it_reads_like_the_run(history: litewf.History) -> None:
    document = json.loads(history.to_json())
    assert document["litewf_history"] == 1
    assert document["workflow_id"] == "order-1"
    assert document["input"] == {"args": [{"sku": 7}], "kwargs": {}}
    charge, sleep = document["steps"]
    assert (charge["step"], charge["name"], charge["output"]) == ("1", "charge", "receipt for 7")
    assert "completed_us" not in sleep
    assert document["waits"] == [{"step": "2", "name": "litewf.sleep", "due_us": sleep["due_us"]}]


def test_it_is_small(history: litewf.History) -> None:
    assert len(history.to_json()) < 1200


def test_a_file_replays_elsewhere(history: litewf.History, flow: Any, tmp_path: Path) -> None:
    place = tmp_path / "order-1.json"
    history.save(place)
    assert litewf.History.load(place) == history
    assert_replays(place, flow)
    assert_replays(str(place), flow)


def test_clients_and_async_programs_export_the_same(path: Path, history: litewf.History) -> None:
    import asyncio

    with litewf.Client(path) as client:
        assert client.export_workflow("order-1") == history
        assert asyncio.run(_exported(client)) == history
        with pytest.raises(litewf.WorkflowNotFoundError, match="no workflow 'order-2'"):
            client.export_workflow("order-2")


async def _exported(client: litewf.Client) -> litewf.History:
    return await client.export_workflow_async("order-1")


def test_a_workflow_may_export_another(path: Path, registry: litewf.Registry, flow: Any) -> None:
    @registry.workflow(name="look")
    def look() -> str:
        return engine.export_workflow("order-1").steps[0].name

    engine = litewf.Engine(path, registry=registry, linger=0)
    with engine:
        engine.start_workflow(flow.with_options(workflow_id="order-1"), {"sku": 7})
        engine.wait_until_idle()
        handle = engine.start_workflow(look)
        assert handle.get_result() == "charge"
        assert_replays(engine.export_workflow(handle.workflow_id), look)


Change = Callable[[dict[str, Any]], Any]
BROKEN: dict[str, tuple[Change, str]] = {
    "another document": (lambda document: document.pop("litewf_history"), "'litewf_history' is missing"),
    "a newer format": (lambda document: document.update(litewf_history=2), "in format 2 by a newer litewf"),
    "no name": (lambda document: document.pop("name"), "no valid 'name'"),
    "a number for a name": (lambda document: document.update(name=5), "no valid 'name'"),
    "true for a number": (lambda document: document.update(generation=True), "no valid 'generation'"),
    "an unknown field": (lambda document: document.update(colour="red"), "unknown field 'colour'"),
    "steps that are no list": (
        lambda document: document.update(steps={}),
        "'steps' of this exported workflow is no list",
    ),
    "a step that is no object": (
        lambda document: document["steps"].append(5),
        "a step of this exported workflow is no",
    ),
    "a step without a number": (lambda document: document["steps"][0].pop("step"), "no valid 'step'"),
    "no input": (lambda document: document.pop("input"), "no valid 'input'"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_document_that_is_no_export_is_refused(history: litewf.History, tmp_path: Path, what: str) -> None:
    change, message = BROKEN[what]
    document = json.loads(history.to_json())
    change(document)
    with pytest.raises(litewf.HistoryError, match=message):
        litewf.History.from_json(json.dumps(document))
    place = tmp_path / "broken.json"
    place.write_text(json.dumps(document))
    with pytest.raises(litewf.HistoryError, match=r"broken\.json"):
        litewf.History.load(place)


@pytest.mark.parametrize("text", ["", "{", "[]", "5", "null", "[" * 100_000, b"\xff"], ids=repr)
def test_a_text_that_is_no_document_is_refused(text: Any, tmp_path: Path) -> None:
    place = tmp_path / "text"
    place.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(litewf.HistoryError):
        litewf.History.load(place)
