"""`litewf export`: one run as a document, from a file that an engine uses."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import litewf
from litewf.testing import assert_replays
from tests.cli.live import Here


@pytest.fixture
def checkout(registry: litewf.Registry) -> "litewf.Workflow":
    @registry.step(name="charge")
    def charge(order: dict) -> dict:
        return {"receipt": f"r-{order['card']}", "cents": 700}

    @registry.workflow(name="checkout")
    def checkout(order: dict) -> dict:
        paid = charge(order)
        litewf.recv("shipped")
        return paid

    return checkout


@pytest.fixture
def db(path: Path, registry: litewf.Registry, checkout: "litewf.Workflow") -> Iterator[Path]:
    """The file of an engine that runs."""
    with litewf.Engine(path, registry=registry, linger=0) as engine:
        engine.start_workflow(checkout.with_options(workflow_id="order-1"), {"card": "4111", "gift": True})
        engine.wait_until_idle()
        yield path


def test_it_prints_a_document_that_replays(here: Here, db: Path, checkout: "litewf.Workflow") -> None:
    done = here("export", "order-1", "--db", db)
    assert (done.status, done.err) == (0, "")
    assert done.json["input"]["args"] == [{"card": "4111", "gift": True}]
    assert [step["name"] for step in done.json["steps"]] == ["charge"]
    assert_replays(litewf.History.from_json(done.out), checkout)
    assert here("export", "order-1", "--db", db, "--json").out == done.out


def test_it_writes_a_file(here: Here, db: Path, tmp_path: Path, checkout: "litewf.Workflow") -> None:
    place = tmp_path / "order-1.json"
    assert here("export", "order-1", "-o", place, "--db", db) == (0, "", f"1 step is in {place}\n")
    assert_replays(place, checkout)
    before = place.read_text()
    again = here("export", "order-1", "-o", place, "--redact-text", "--db", db)
    assert (again.status, again.out) == (4, "")
    assert "exists already; --overwrite replaces it" in again.err
    assert place.read_text() == before
    done = here("export", "order-1", "--output", place, "--overwrite", "--redact-text", "--db", db, "--json")
    assert place.read_text() != before
    assert done.json == {"file": str(place), "steps": 1}


def test_it_replaces_what_is_secret(here: Here, db: Path, checkout: "litewf.Workflow") -> None:
    named = here("export", "order-1", "--redact", "*.card", "--redact", "steps.1.output.cents", "--db", db).json
    assert named["input"]["args"] == [{"card": "redacted", "gift": True}]
    assert named["steps"][0]["output"] == {"receipt": "r-4111", "cents": 0}
    assert named["redacted"] is True
    texts = here("export", "order-1", "--redact-text", "--db", db)
    assert "4111" not in texts.out
    assert texts.json["steps"][0]["output"] == {"receipt": "redacted", "cents": 700}
    both = here("export", "order-1", "--redact-text", "--redact", "*.cents", "--db", db)
    assert both.json["steps"][0]["output"] == {"receipt": "redacted", "cents": 0}
    for document in (named, texts.json, both.json):
        assert_replays(litewf.History.from_json(json.dumps(document)), checkout)


def test_what_is_not_there_is_told_in_one_line(here: Here, db: Path, tmp_path: Path) -> None:
    unknown = here("export", "order-2", "--db", db)
    assert (unknown.status, unknown.out) == (3, "")
    assert "no workflow 'order-2'" in unknown.err
    missing = here("export", "order-1", "--db", tmp_path / "gone.db")
    assert (missing.status, len(missing.err.splitlines())) == (5, 1)
    nowhere = here("export", "order-1", "--db", db, "-o", tmp_path / "gone" / "x.json")
    assert (nowhere.status, nowhere.out) == (5, "")
    assert "cannot write" in nowhere.err
