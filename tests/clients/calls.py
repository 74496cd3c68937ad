"""A file with a bit of everything in it, and a call of each public method of a client on that."""

import contextlib
import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import apsw

import litewf
from litewf.world import EPOCH
from tests.clients.both import Ask, Script
from tests.stage import NOON, Stage

SINCE = datetime(2029, 12, 31, 22, tzinfo=UTC)  # two hours before the stage's noon begins its day


class StillClock(litewf.Clock):
    """Shows the same time for ever: that at which the stage begins."""

    def now_us(self) -> int:
        return (NOON - EPOCH) // timedelta(microseconds=1)


class Program(NamedTuple):
    """What the file's workflows are the code of."""

    registry: litewf.Registry
    flow: litewf.Workflow[[int], int]
    fails: litewf.Workflow[[], None]
    waits: litewf.Workflow[[], Any]
    tick: litewf.Workflow[[datetime, datetime], None]


def program() -> Program:
    registry = litewf.Registry()

    @registry.step(name="double")
    def double(number: int) -> int:
        litewf.write_stream("numbers", number)
        return 2 * number

    @registry.workflow(name="flow")
    def flow(number: int) -> int:
        litewf.set_event("number", number)
        return double(number) + double(number + 1)

    @registry.workflow(name="fails")
    def fails() -> None:
        double(1)
        raise ValueError("no luck")

    @registry.workflow(name="waits")
    def waits() -> Any:
        return litewf.recv("go")

    @registry.workflow(name="tick")
    def tick(scheduled_at: datetime, actual_at: datetime) -> None: ...

    return Program(registry, flow, fails, waits, tick)


def build(path: Path) -> None:
    """Write the file, with an engine that is gone afterwards."""
    code = program()
    stage = Stage(path, code.registry)
    with stage.engine(queues=[]) as engine:
        engine.start_workflow(code.flow.with_options(workflow_id="done"), 1)
        engine.start_workflow(code.fails.with_options(workflow_id="failed"))
        engine.start_workflow(code.waits.with_options(workflow_id="parked"))
        engine.wait_until_idle(20)
        engine.enqueue("work", code.flow.with_options(workflow_id="queued", attributes={"kind": "a"}), 5)
        engine.start_workflow(code.waits.with_options(workflow_id="stopped"))
        engine.cancel_workflow("stopped")
        engine.create_queue("work", worker_concurrency=2, rate_limit=litewf.RateLimit(5, 60))
        engine.create_schedule("hourly", code.tick, "0 * * * *")
        engine.transact(lambda conn: list(conn.execute("CREATE TABLE mine (name TEXT, number INTEGER)")))
        engine.wait_until_idle(20)


def insert_after_a_rollback(conn: litewf.Connection) -> None:
    conn.execute("INSERT INTO mine VALUES ('before', 1)")
    conn.execute("CREATE UNIQUE INDEX once ON mine (name)")
    with contextlib.suppress(apsw.ConstraintError):
        conn.execute("INSERT OR ROLLBACK INTO mine VALUES ('before', 1)")
    conn.execute("INSERT INTO mine VALUES ('after', 1)")


def insert(conn: litewf.Connection, name: str, number: int) -> list[int]:
    conn.execute("INSERT INTO mine VALUES (?, ?)", (name, number))
    conn.executemany("INSERT INTO mine VALUES (:name, :number)", [{"name": "x", "number": n} for n in range(3)])
    found = conn.execute("SELECT count(*) FROM mine; SELECT number FROM mine ORDER BY rowid")
    return [row[0] for row in found] + [conn.changes, conn.last_insert_rowid]


def one(method: str, *args: Any, **kwargs: Any) -> Script:
    """A script of one call."""

    async def script(client: Any, ask: Ask) -> Any:
        return await ask(getattr(client, method)(*args, **kwargs))

    return script


def refused(method: str, *args: Any) -> Script:
    """A script of a call that raises what each library says in its own words."""

    async def script(client: Any, ask: Ask) -> Any:
        try:
            return await ask(getattr(client, method)(*args))
        except litewf.LitewfError as error:
            return type(error)

    return script


def on_handle(workflow_id: str, method: str, *args: Any, **kwargs: Any) -> Script:
    """A script that calls a method of a handle."""

    async def script(client: Any, ask: Ask) -> Any:
        handle = await ask(client.retrieve_workflow(workflow_id))
        return await ask(getattr(handle, method)(*args, **kwargs))

    return script


def calls(code: Program, folder: Path) -> dict[str, Script]:
    """By what they are for; a name begins with the method's."""
    return {**_starting(code), **_steering(), **_talking(), **_queues_and_schedules(code), **_the_file(folder)}


def _starting(code: Program) -> dict[str, Script]:
    flow = code.flow
    return {
        "start_workflow": one("start_workflow", flow.with_options(workflow_id="new"), 1),
        "start_workflow by name": one("start_workflow", litewf.WorkflowName("flow").with_options(workflow_id="new"), 1),
        "start_workflow with an id that is there": one("start_workflow", flow.with_options(workflow_id="done"), 9),
        "start_workflow with the id of another": one("start_workflow", flow.with_options(workflow_id="failed"), 9),
        "start_workflow with what no file holds": one("start_workflow", flow.with_options(workflow_id="new"), object()),
        "start_workflows": one("start_workflows", [(flow.with_options(workflow_id=f"n{n}"), n) for n in range(3)]),
        "run_workflow": one("run_workflow", flow.with_options(workflow_id="done"), 1),
        "enqueue": one("enqueue", "work", flow.with_options(workflow_id="new", delay=5, partition_key="p"), 1),
        "enqueue by name": one("enqueue", "other", flow.with_options(workflow_id="new", deduplication_id="d"), 1),
        "enqueue with a priority that the queue lacks": one(
            "enqueue", "work", flow.with_options(workflow_id="new", priority=1), 1
        ),
        "enqueue_many": one("enqueue_many", "work", [(flow.with_options(workflow_id=f"n{n}"), n) for n in range(600)]),
        "debounce": one("debounce", flow.with_options(workflow_id="new"), "key", 3, 1),
    }


def _steering() -> dict[str, Script]:
    return {
        "retrieve_workflow": one("retrieve_workflow", "done"),
        "retrieve_workflow that is not there": one("retrieve_workflow", "nowhere"),
        "list_workflows": one("list_workflows"),
        "list_workflows by filters": one(
            "list_workflows", status=["SUCCESS", "ENQUEUED"], name=["flow"], sort_desc=True, load_output=False
        ),
        "list_workflows by ids": one("list_workflows", workflow_ids=["done", "queued", "nowhere"]),
        "list_workflows by nothing": one("list_workflows", workflow_ids=[]),
        "list_workflows by attributes": one("list_workflows", litewf.WorkflowFilter(attributes={"kind": "a"})),
        "list_steps": one("list_steps", "done"),
        "list_steps of a failure": one("list_steps", "failed"),
        "cancel_workflow": one("cancel_workflow", "parked"),
        "resume_workflow": one("resume_workflow", "stopped"),
        "resume_workflow that has ended": one("resume_workflow", "done"),
        "fork_workflow": one("fork_workflow", "done", 2, workflow_id="forked", queue="work"),
        "rewind_workflow": one("rewind_workflow", "failed"),
        "rewind_workflow that has not ended": one("rewind_workflow", "parked"),
        "delete_workflow": one("delete_workflow", "done"),
        "delete_workflow that has not ended": one("delete_workflow", "parked"),
        "update_attributes": one("update_attributes", "queued", {"kind": None, "size": 3}),
        "handle.get_result": on_handle("done", "get_result"),
        "handle.get_result of a failure": on_handle("failed", "get_result"),
        "handle.get_result in vain": on_handle("parked", "get_result", 0),
        "handle.get_result by default": on_handle("parked", "get_result", timeout=0, default="none"),
        "handle.get_status": on_handle("parked", "get_status"),
        "handle.cancel": on_handle("queued", "cancel"),
    }


def _talking() -> dict[str, Script]:
    message = litewf.Message("parked", {"n": 1}, "go", "key")
    event = litewf.CloudEvent("paid", "shop", {"n": 1}, id="e-1", subject="order")
    return {
        "send": one("send", "parked", [1, 2], "go"),
        "send to nobody": one("send", "nowhere", 1),
        "send_bulk": one("send_bulk", [message, message]),
        "get_event": one("get_event", "done", "number", as_type=int),
        "get_event that does not fit": one("get_event", "done", "number", as_type=str),
        "get_event in vain": one("get_event", "parked", "number", timeout=0),
        "get_all_events": one("get_all_events", "done"),
        "read_stream": one("read_stream", "done", "numbers"),
        "read_stream in vain": one("read_stream", "parked", "numbers", timeout=0),
        "read_stream of what is there now": one("read_stream", "parked", "numbers", follow=False),
        "read_stream_items": one("read_stream_items", "done", "numbers", offset=1),
        "publish_event": one("publish_event", "paid", {"n": 1}, id="e-1"),
        "publish_events": one("publish_events", [event, event, dataclasses.replace(event, id="e-2")]),
    }


def _queues_and_schedules(code: Program) -> dict[str, Script]:
    return {
        "create_queue": one("create_queue", "fast", global_concurrency=3),
        "update_queue": one("update_queue", "work", rate_limit=None, priority_enabled=True),
        "update_queue that is not there": one("update_queue", "nowhere", worker_concurrency=1),
        "list_queues": one("list_queues"),
        "pause_queue": one("pause_queue", "work"),
        "resume_queue": one("resume_queue", "work"),
        "delete_queue": one("delete_queue", "work"),
        "create_schedule": one("create_schedule", "daily", code.tick, "0 9 * * *", timezone="Europe/Berlin"),
        "get_schedule": one("get_schedule", "hourly"),
        "get_schedule that is not there": one("get_schedule", "nowhere"),
        "list_schedules": one("list_schedules"),
        "pause_schedule": one("pause_schedule", "hourly"),
        "resume_schedule": one("resume_schedule", "hourly"),
        "trigger_schedule": one("trigger_schedule", "hourly"),
        "backfill_schedule": one("backfill_schedule", "hourly", SINCE, SINCE + timedelta(hours=3)),
        "delete_schedule": one("delete_schedule", "hourly"),
        "next_due": one("next_due"),
    }


def _the_file(folder: Path) -> dict[str, Script]:
    return {
        "query": one("query", "SELECT id, status FROM workflow WHERE name = ? ORDER BY key", ("flow",)),
        "query that writes": one("query", "DELETE FROM workflow"),
        "query that is none": one("query", "SELEKT 1"),
        "query without its parameters": refused("query", "SELECT ?, ?", (1,)),
        "transact": one("transact", insert, "a", number=7),
        "transact on litewf's tables": one("transact", lambda conn: conn.execute("DELETE FROM workflow")),
        "transact that ends itself": one("transact", lambda conn: conn.execute("COMMIT")),
        "transact that a statement undid": one("transact", insert_after_a_rollback),
        "backup": one("backup", folder / "backup.db"),
        "backup over a file": one("backup", folder / "flows.db"),
        "prune": one("prune", older_than=0),
        "export_workflow": one("export_workflow", "done", redact="*"),
    }
