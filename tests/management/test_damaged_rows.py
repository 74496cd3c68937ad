"""Rows that somebody edited by hand: looking never fails, the workflow is held, and all others go on."""

import asyncio
import re
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

import litewf


def edit(path: Path, sql: str) -> None:
    """As a tool does: constraints hold, foreign keys are not looked at."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(sql)


@pytest.fixture
def flow(registry: litewf.Registry) -> litewf.Workflow[[int], list[object]]:
    @registry.workflow(name="flow")
    def flow(n: int) -> list[object]:
        return [n, litewf.recv("go")]

    return flow


@pytest.fixture
def file(path: Path, registry: litewf.Registry, flow: litewf.Workflow[[int], list[object]]) -> Path:
    """A file in which three workflows wait for a message, and two are on a queue that nobody has served yet."""
    litewf.Queue("line", registry=registry)
    with litewf.Engine(path, registry=registry, linger=0, queues=[]) as engine:
        for n in range(3):
            engine.start_workflow(flow.with_options(workflow_id=f"f{n}"), n)
            engine.enqueue("line", flow.with_options(workflow_id=f"q{n}"), n)
    return path


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("DELETE FROM request WHERE workflow = 1", "there is no row with its input"),
        ("DELETE FROM request WHERE workflow = 1; UPDATE workflow SET held_versions = 'x'", "there is no row with"),
        (
            "DELETE FROM request WHERE workflow = 1; UPDATE workflow SET held = 'x' WHERE phase IS NULL",
            "there is no row",
        ),
        ("UPDATE request SET input = '{' WHERE workflow = 1", "its input cannot be decoded"),
        ("UPDATE request SET input = '{}' WHERE workflow = 1", "its input cannot be decoded"),
        ("UPDATE request SET authenticated_roles = '{' WHERE workflow = 1", "its rows are damaged"),
        (
            "UPDATE request SET authenticated_roles = replace(hex(zeroblob(9999)), '0', '[') WHERE workflow = 1",
            "its rows are damaged",
        ),
        ("UPDATE request SET input = CAST(x'ff' AS TEXT) WHERE workflow = 1", "its rows cannot be read"),
    ],
)
def test_a_workflow_whose_rows_are_damaged_is_held_and_the_others_go_on(
    file: Path, registry: litewf.Registry, sql: str, reason: str
) -> None:
    edit(file, sql)
    with litewf.Engine(file, registry=registry, linger=0) as engine:
        for name in ("f0", "f1", "f2", "q0", "q1", "q2"):
            engine.send(name, "message", topic="go")
        for name, n in (("f1", 1), ("f2", 2), ("q0", 0), ("q1", 1), ("q2", 2)):
            assert engine.retrieve_workflow(name).get_result(timeout=20) == [n, "message"]
        with pytest.raises(litewf.WorkflowHeldError, match=reason):
            engine.retrieve_workflow("f0").get_result(timeout=20)


def test_a_timeout_beyond_all_time_keeps_nobody_from_its_turn(file: Path, registry: litewf.Registry) -> None:
    edit(
        file, f"UPDATE request SET timeout_us = {2**63 - 1} WHERE workflow = (SELECT key FROM workflow WHERE id = 'q0')"
    )
    with litewf.Engine(file, registry=registry, linger=0) as engine:
        for n in range(3):
            engine.send(f"q{n}", "message", topic="go")
        assert [engine.retrieve_workflow(f"q{n}").get_result(timeout=20) for n in range(3)] == [
            [n, "message"] for n in range(3)
        ]


def test_a_place_on_a_queue_whose_workflow_is_gone_is_passed(file: Path, registry: litewf.Registry) -> None:
    edit(file, "DELETE FROM workflow WHERE id = 'q0'")
    with litewf.Engine(file, registry=registry, linger=0) as engine:
        engine.send("q1", "message", topic="go")
        assert engine.retrieve_workflow("q1").get_result(timeout=20) == [1, "message"]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE request SET attributes = 'x', authenticated_roles = '7', timeout_us = 9e18 WHERE workflow = 1",
        "UPDATE request SET attributes = '[1]', authenticated_roles = '{' WHERE workflow = 1",
        "UPDATE request SET input = '{\"args\": 1}' WHERE workflow = 1",
        "UPDATE workflow SET created_us = -9e18, updated_us = 9e18, deadline_us = 9e18 WHERE key = 1",
        "UPDATE wait SET waits = 'nonsense', due_us = 9e18 WHERE workflow = 1",
        "INSERT INTO outcome VALUES (1, '{', '{')",
        "UPDATE step SET started_us = -9e18, error = '{', output = '{' WHERE workflow = 1",
    ],
)
def test_looking_never_fails(file: Path, registry: litewf.Registry, sql: str) -> None:
    edit(file, sql)
    with litewf.Client(file, registry=registry) as client:
        assert len(client.list_workflows(load_input=True, load_output=True)) == 6
        client.list_steps("f0")


def damage(path: Path, sql: str) -> None:
    """As a disk does: columns may be of a type that no statement would have written."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        tables = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql LIKE '%STRICT%'").fetchall()
        for name, text in tables:
            loose = re.sub(r"STRICT,?|,\s*STRICT", "", text).replace(" TEXT", " BLOB")
            connection.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (loose, name))
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(sql)
        assert connection.changes() == 1
        connection.execute("PRAGMA writable_schema = ON")
        connection.executemany("UPDATE sqlite_schema SET sql = ?2 WHERE name = ?1", tables)


@pytest.mark.parametrize(
    "change",
    [
        "request SET attributes = 7 WHERE workflow = 1",
        "request SET authenticated_roles = 7 WHERE workflow = 1",
        "request SET timeout_us = x'00' WHERE workflow = 1",
        "workflow SET updated_us = x'00' WHERE key = 1",
    ],
)
def test_a_workflow_whose_row_has_other_types_is_named(file: Path, registry: litewf.Registry, change: str) -> None:
    damage(file, f"UPDATE {change}")
    with litewf.Client(file, registry=registry) as client:
        with pytest.raises(litewf.StoreCorruptError, match="the row of workflow 'f0' is damaged .*restore a backup"):
            client.list_workflows()
        assert client.retrieve_workflow("f1").get_status().workflow_id == "f1"


def test_values_whose_columns_have_other_types_are_told_so(file: Path, registry: litewf.Registry) -> None:
    with litewf.Engine(file, registry=registry) as engine:
        engine.send("f0", "message", topic="go")
        engine.retrieve_workflow("f0").get_result(timeout=20)
    damage(file, "UPDATE outcome SET output = 7 WHERE workflow = 1")
    with litewf.Client(file, registry=registry) as client:
        with pytest.raises(litewf.SerializationError, match="the recorded text is no text but int"):
            client.retrieve_workflow("f0").get_result()
        assert isinstance(client.retrieve_workflow("f0").get_status().output, litewf.Opaque)


@pytest.mark.parametrize("column", ["step", "started_us"])
def test_a_step_whose_row_has_other_types_is_named_with_its_workflow(
    file: Path, registry: litewf.Registry, column: str
) -> None:
    with litewf.Engine(file, registry=registry) as engine:
        engine.send("f0", "message", topic="go")
        engine.retrieve_workflow("f0").get_result(timeout=20)
    damage(file, f"UPDATE step SET {column} = x'00' WHERE workflow = 1")
    with litewf.Client(file, registry=registry) as client:
        with pytest.raises(litewf.StoreCorruptError, match="the row of a step of workflow 'f0' is damaged"):
            client.list_steps("f0")
        assert len(client.list_workflows()) == 6


def test_a_time_beyond_the_calendar_is_shown_as_its_end(file: Path, registry: litewf.Registry) -> None:
    edit(file, "UPDATE workflow SET created_us = -9e18, updated_us = 9e18 WHERE key = 1")
    with litewf.Client(file, registry=registry) as client:
        status = client.retrieve_workflow("f0").get_status()
    assert (status.created_at, status.updated_at) == (
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
    )


@pytest.mark.parametrize("column", ["next_us", "jitter_us", "catch_up_us"])
def test_a_damaged_schedule_is_named_and_can_be_replaced(path: Path, registry: litewf.Registry, column: str) -> None:
    @registry.workflow(name="tick")
    def tick(_scheduled_at: datetime, _actual_at: datetime) -> None: ...

    with litewf.Engine(path, registry=registry) as engine:
        engine.create_schedule("nightly", tick, "0 3 * * *")
        engine.create_schedule("other", tick, "0 4 * * *")
    damage(path, f"UPDATE schedule SET {column} = x'00' WHERE name = 'nightly'")
    with litewf.Engine(path, registry=registry) as engine:
        with pytest.raises(litewf.StoreCorruptError, match=r"schedule 'nightly' is damaged .*delete_schedule"):
            engine.list_schedules()
        assert engine.get_schedule("other").cron == "0 4 * * *"
        engine.delete_schedule("nightly")
        assert [one.name for one in engine.list_schedules()] == ["other"]


def test_after_a_text_that_cannot_be_read_the_file_is_seen_as_it_is(
    file: Path, registry: litewf.Registry, flow: litewf.Workflow[[int], list[object]]
) -> None:
    """An error in the middle of the rows leaves nothing behind that would show the rows of that moment for ever."""
    edit(file, "UPDATE request SET authenticated_user = CAST(x'ff' AS TEXT) WHERE workflow = 3")
    with litewf.Client(file, registry=registry) as client:
        with pytest.raises(litewf.StoreCorruptError, match="damaged") as kept:  # and with it all that it refers to
            client.list_workflows()
        handle = client.enqueue("line", flow.with_options(workflow_id="new"), 7)
        assert handle.get_status().status == "ENQUEUED"
    assert kept.tb is not None


def test_an_async_client_sees_the_file_as_it_is_after_such_a_text(
    file: Path, registry: litewf.Registry, flow: litewf.Workflow[[int], list[object]]
) -> None:
    edit(file, "UPDATE request SET authenticated_user = CAST(x'ff' AS TEXT) WHERE workflow = 3")

    async def look() -> None:
        async with litewf.AsyncClient(file, registry=registry) as client:
            with pytest.raises(litewf.StoreCorruptError, match="cannot read") as kept:
                await client.list_workflows()
            handle = await client.enqueue("line", flow.with_options(workflow_id="new"), 7)
            assert (await handle.get_status()).status == "ENQUEUED"
        assert kept.tb is not None

    asyncio.run(look())


def test_a_text_that_cannot_be_read_while_something_is_written_is_told_so(
    file: Path, registry: litewf.Registry
) -> None:
    edit(file, "UPDATE sqlite_sequence SET name = CAST(x'ff' AS TEXT) WHERE name = 'workflow'")
    with pytest.raises(litewf.StoreCorruptError, match="cannot write: a text in it is damaged .*restore a backup"):
        litewf.Engine(file, registry=registry).launch()
