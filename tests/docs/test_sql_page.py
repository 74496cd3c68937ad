"""docs/sql.md: each query runs, with Python's own sqlite3, on a copy; the views have the columns that it says."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import litewf

PAGE = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
QUERIES = re.findall(r"^```sql\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def listed(text: str) -> list[list[str]]:
    """The columns of a view, and its times, as a row of the page's table names them."""
    return [
        re.findall(r"`(\w+)`", part) for part in re.split(r"; times?:", re.sub(r"\(.*?\)", "", text) + "; time:")[:2]
    ]


ROWS = re.findall(r"^\| `(\w+)` \| [^|]* \| (.*) \|$", PAGE, re.MULTILINE)
LISTED = {view: listed(text) for view, text in ROWS}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The backup of a file with a bit of everything in it."""
    folder = tmp_path_factory.mktemp("sql")
    registry = litewf.Registry()

    @registry.step(max_retries=2, base_interval=0.001, name="charge")
    def charge(sku: int) -> str:
        if litewf.attempt() == 1:
            raise ConnectionError("no answer")
        return f"receipt {sku}"

    @registry.workflow(name="child")
    def child() -> None:
        pass

    @registry.workflow(name="checkout")
    def checkout(sku: int) -> None:
        litewf.set_event("state", "new")
        litewf.set_event("state", charge(sku))
        child()
        litewf.write_stream("log", "charged")
        litewf.recv("payment")

    @registry.workflow(name="fail")
    def fail() -> None:
        raise ValueError("no")

    with litewf.Engine(folder / "flows.db", registry=registry, linger=0) as engine:
        order = checkout.with_options(workflow_id="order-1", attributes={"customer": "anna"})
        engine.start_workflow(order, 7)
        engine.start_workflow(fail.with_options(workflow_id="f-1"))
        engine.send("order-1", "hello", topic="other")
        engine.create_queue("mail", global_concurrency=2)
        engine.pause_queue("mail")
        engine.enqueue("mail", "unheard", 1)
        engine.create_schedule("daily", "child", "0 9 * * *")
        engine.publish_event("paid", {"order": 1}, source="bank")
        engine.wait_until_idle()
        return engine.backup(folder / "copy.db")


@pytest.fixture
def connection(copy: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(copy)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


@pytest.mark.parametrize("query", QUERIES, ids=[f"query {number}" for number, _ in enumerate(QUERIES, 1)])
def test_each_query_of_the_page_finds_something(connection: sqlite3.Connection, query: str) -> None:
    assert connection.execute(query).fetchall()


def test_the_version_is_the_one_that_the_page_describes(connection: sqlite3.Connection) -> None:
    [(version,)] = connection.execute("SELECT version FROM litewf_view_version")
    assert f"This page describes version {version}." in PAGE


def test_the_page_names_all_views(connection: sqlite3.Connection) -> None:
    views = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'view'")}
    assert views == {*LISTED, "litewf_view_version", "record"}


@pytest.mark.parametrize("view", LISTED)
def test_a_view_has_exactly_the_columns_of_the_page(connection: sqlite3.Connection, view: str) -> None:
    columns, times = LISTED[view]
    expected = {*columns, *(f"{time}_{unit}" for time in times for unit in ("at", "us"))}
    assert {row["name"] for row in connection.execute(f"PRAGMA table_info({view})")} == expected


def test_the_two_forms_of_each_time_agree(connection: sqlite3.Connection) -> None:
    compared = 0
    for view, (_, times) in LISTED.items():
        for time in times:
            for text, us in connection.execute(f"SELECT {time}_at, {time}_us FROM {view} WHERE {time}_us IS NOT NULL"):
                moment = datetime.fromtimestamp(us // 1_000_000, UTC).replace(microsecond=us % 1_000_000)
                assert text == moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
                compared += 1
    assert compared > 20


def rows(connection: sqlite3.Connection, query: str) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(query)]


def test_views_show_what_the_library_shows(connection: sqlite3.Connection, copy: Path) -> None:
    with litewf.Client(copy) as client:
        statuses = {one.workflow_id: one for one in client.list_workflows()}
        steps = client.list_steps("order-1")
    for row in rows(connection, "SELECT * FROM workflow_view"):
        status = statuses.pop(row["workflow_id"])
        for name in ("name", "status", "held", "queue_name", "parent_id", "generation", "attempts"):
            assert row[name] == getattr(status, name)
        assert row["created_at"] == status.created_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    assert statuses == {}
    found = rows(connection, "SELECT * FROM step_view WHERE workflow_id = 'order-1'")
    assert sorted((row["step_id"], row["name"], row["attempts"]) for row in found) == sorted(
        (step.step_id, step.name, step.attempts) for step in steps
    )


def test_waits_are_told_by_kind_target_and_key(connection: sqlite3.Connection) -> None:
    [wait] = rows(connection, "SELECT kind, target, key, step_id FROM wait_view WHERE workflow_id = 'order-1'")
    assert wait == {"kind": "message", "target": "order-1", "key": "payment", "step_id": "7"}


def test_queues_count_what_waits(connection: sqlite3.Connection) -> None:
    [queue] = rows(
        connection, "SELECT waiting, running, paused, global_concurrency FROM queue_view WHERE name = 'mail'"
    )
    assert queue == {"waiting": 1, "running": 0, "paused": 1, "global_concurrency": 2}
