"""Every statement of the hot path finds its rows through an index, so finished history costs it nothing.

The statements are those that real engines prepared while they did what engines do; a listing is no hot path.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

import litewf
from litewf.engine.signals import Unwind

SMALL_TABLES = {
    "executor",
    "queue",
    "schedule",
    "store",
    "sqlite_schema",
    "sqlite_sequence",
}  # not one row for each run
QUEUE_TABLES = {"task", "started"}  # a million may wait: no index of theirs may be gone through either
HEADS = {"task_delayed"}  # ... but that of which only the first is read
ENDS = {  # what reads from one end, and no further than the first that fits or all that it deletes
    ("workflow", "SELECT max(key) FROM workflow"),
    ("task_waiting", "SELECT min(queue) FROM task"),
    ("cloud_event_accepted", "max(accepted_us)"),
    ("cloud_event_accepted", "accepted_us < ? LIMIT ?"),
}
# One look at all that there is, on purpose: listings and pruning, in order of the key.
LISTINGS = ("ORDER BY w.key", "w.key, w.id, w.name")


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The SQL of everything that is run from now on."""
    seen: set[str] = set()

    def listen(connection: apsw.Connection) -> None:
        def hear(event: dict[str, Any]) -> None:
            if not event["sql"].startswith("--"):
                seen.add(event["sql"])

        connection.trace_v2(apsw.SQLITE_TRACE_STMT, hear, id="plans")

    monkeypatch.setattr(apsw, "connection_hooks", [listen])
    yield seen


def limited_queue(registry: litewf.Registry) -> None:
    litewf.Queue(
        "q", global_concurrency=3, partition_concurrency=2, rate_limit=litewf.RateLimit(50, 0.01),
        priority_enabled=True, registry=registry,
    )  # fmt: skip


def live_on_queues(engine: litewf.Engine, child: Any, parent: Any) -> None:
    """What engines do with queues: batches, partitions, deduplication, delays, debounce, changes, holds."""
    kept = child.with_options(partition_key="p", deduplication_id="d", priority=2, on_duplicate="return_existing")
    handles = engine.enqueue_many("q", [(child, 1), (kept, 2), (kept, 3), (parent,)])
    handles.append(engine.enqueue("q", child.with_options(delay=0.01, partition_key="p"), 4))
    handles.append(engine.debounce(child, "key", 0.01, 5))
    engine.debounce(child, "key", 0.01, 6)
    engine.update_queue("q", rate_limit=litewf.RateLimit(60, 0.02), partition_concurrency=1)
    unknown = engine.enqueue("q", "unknown")
    with pytest.raises(litewf.WorkflowHeldError):
        unknown.get_result(timeout=20)
    engine.resume_workflow(unknown.workflow_id)
    engine.cancel_workflow(unknown.workflow_id)
    engine.cancel_workflow(engine.enqueue("nowhere", child.with_options(delay=60), 1).workflow_id)
    for handle in handles:
        handle.get_result(timeout=20)


def steer(engine: litewf.Engine, endless: Any, child: Any) -> None:
    """Cancel, resume, time out, fork and rewind."""
    stopped = engine.start_workflow(endless)
    engine.cancel_workflow(stopped.workflow_id)
    engine.resume_workflow(stopped.workflow_id)
    engine.cancel_workflow(stopped.workflow_id)
    late = engine.start_workflow(endless.with_options(timeout=0.01))
    with pytest.raises(litewf.WorkflowTimeoutError):
        late.get_result(timeout=20)
    done = engine.start_workflow(child, 1)
    done.get_result()
    engine.fork_workflow(done.workflow_id, 1).get_result(timeout=20)
    engine.rewind_workflow(done.workflow_id, 1).get_result(timeout=20)
    done.get_status()
    engine.list_steps(done.workflow_id)
    engine.update_attributes(done.workflow_id, {"a": 1})
    engine.delete_workflow(done.workflow_id)


def talk(engine: litewf.Engine, registry: litewf.Registry) -> None:
    """Messages, events, streams and CloudEvents, before the wait and after."""

    @registry.step
    def tell() -> None:
        litewf.set_event("progress", 1)
        litewf.write_stream("lines", "from a step")

    @registry.workflow
    def talker() -> list[Any]:
        tell()
        litewf.set_event("state", "begun")
        litewf.write_stream("lines", "one")
        heard = [litewf.recv("topic"), litewf.recv(timeout=0, default=None)]
        heard.append(litewf.wait_event("paid", where={"order": 7}).id)
        heard.append(litewf.wait_event("paid", delivery="one", timeout=0, default=None))
        litewf.send("reader", "hello")
        litewf.publish_event("told", {"order": 7})
        litewf.close_stream("lines")
        return heard

    @registry.workflow
    def reader() -> list[Any]:
        lines = list(litewf.read_stream("talker", "lines"))
        return [litewf.get_event("talker", "state"), litewf.get_all_events("talker"), litewf.recv(), lines]

    talking = engine.start_workflow(talker.with_options(workflow_id="talker"))
    reading = engine.start_workflow(reader.with_options(workflow_id="reader"))
    engine.send("talker", "hi", topic="topic", idempotency_key="once")
    engine.send_bulk([litewf.Message("talker", "more")])
    engine.publish_event("paid", {"order": 7}, id="e1")
    engine.publish_event("paid", {"order": 7}, id="e1")
    engine.get_event("talker", "state", timeout=20)
    assert len(list(engine.read_stream_items("talker", "lines", timeout=20))) == 2
    assert talking.get_result(timeout=20)[0] == "hi"
    assert len(reading.get_result(timeout=20)) == 4
    engine.fork_workflow("talker", 3, workflow_id="fork").cancel()
    engine.rewind_workflow("reader", 1).get_result(timeout=20)


def tick(engine: litewf.Engine, registry: litewf.Registry) -> None:
    """Schedules, and what keeps the file small."""

    @registry.workflow
    def ticked(scheduled_at: Any, actual_at: Any) -> None:
        pass

    engine.create_schedule("s", ticked, "* * * * * *", overlap="skip")
    engine.trigger_schedule("s").get_result(timeout=20)
    engine.pause_schedule("s")
    engine.resume_schedule("s")
    engine.next_due()
    engine.delete_schedule("s")
    engine.prune(older_than=0)


def die(path: Path, registry: litewf.Registry, endless: Any) -> None:
    """Die as a killed process does, with a workflow in memory, for others to recover."""
    engine = litewf.Engine(path, registry=registry)
    engine.launch()
    engine.start_workflow(endless)
    assert engine._live is not None
    engine._live.crash(Unwind("lost", "killed"))


def live(path: Path, registry: litewf.Registry) -> None:
    """What engines do: start, run, wait, park, wake, cancel, resume, fork, rewind, time out, hold, recover, end."""

    @registry.step(max_retries=1, base_interval=0.001)
    def flaky() -> int:
        if litewf.attempt() == 1:
            raise ValueError
        return 1

    @registry.step
    def step(number: int) -> int:
        return number

    @registry.workflow
    def child(number: int) -> int:
        return step(number)

    @registry.workflow
    def parent() -> int:
        handle = litewf.start_workflow(child, 2)
        litewf.sleep(0.001)
        return flaky() + handle.get_result()

    @registry.workflow
    async def fan() -> list[int]:
        handles = [await litewf.start_workflow_async(child, number) for number in range(3)]
        return [await handle.get_result_async() for handle in handles]

    @registry.workflow
    def endless() -> None:
        litewf.sleep(3600)

    @registry.workflow
    def again(left: int) -> None:
        if left:
            litewf.continue_as_new(left - 1)

    limited_queue(registry)
    other = litewf.Registry()
    with (
        litewf.Engine(path, registry=registry, linger=0) as engine,
        litewf.Engine(path, registry=other, linger=0),
    ):
        engine.run_workflow(parent)
        engine.run_workflow(fan)
        engine.run_workflow(again, 2)
        steer(engine, endless, child)
        live_on_queues(engine, child, parent)
    die(path, registry, endless)
    with litewf.Engine(path, registry=registry, linger=0) as engine:
        talk(engine, registry)
        tick(engine, registry)


def plan(connection: apsw.Connection, sql: str) -> list[str]:
    named = re.sub(r"\?\d*", ":any", sql)  # so that one value serves for all parameters
    return [detail for *_, detail in connection.execute(f"EXPLAIN QUERY PLAN {named}", {"any": None})]


def scans(connection: apsw.Connection, sql: str) -> Iterator[str]:
    """What SQLite goes through from one end to the other, read off the programs that it runs: they know no aliases."""
    named = re.sub(r"\?\d*", ":any", sql)  # so that one value serves for all parameters
    names = dict(connection.execute("SELECT rootpage, name FROM sqlite_schema").fetchall())
    opened: dict[int, str] = {}
    ends: set[int] = set()
    for address, code, cursor, root, *_ in connection.execute(f"EXPLAIN {named}", {"any": None}):
        if address == 0:  # of the statement, or of a trigger that it fires
            opened, ends = {}, set()
        if code in ("OpenRead", "OpenWrite") and root in names:
            opened[cursor] = names[root]
        elif code in ("Rewind", "Last"):
            ends.add(cursor)
        elif code in ("Next", "Prev") and cursor in ends and cursor in opened:
            yield opened[cursor]


def test_no_statement_of_a_living_engine_scans_history(
    path: Path, registry: litewf.Registry, statements: set[str]
) -> None:
    """A8: neither a recovery nor anything else has more to do because much is finished."""
    live(path, registry)
    heard = {sql for sql in statements if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)", sql)}
    assert len(heard) > 80
    assert any("recoveries + 1" in sql for sql in heard)
    connection = apsw.Connection(str(path))
    allowed = partial_indexes(connection) | SMALL_TABLES | HEADS
    found = []
    for sql in heard:
        if any(mark in sql for mark in LISTINGS) and "w.id = ?" not in sql:
            continue
        try:
            scanned = {name for name in scans(connection, sql) if name not in allowed}
            found += [(name, sql) for name in scanned if not any(name == end and mark in sql for end, mark in ENDS)]
        except apsw.SQLError:
            continue  # the user's own
    connection.close()
    assert found == []


def partial_indexes(connection: apsw.Connection) -> set[str]:
    """They cover unfinished work only."""
    rows = connection.execute("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '% WHERE %'")
    return {name for name, table in rows if table not in QUEUE_TABLES}


QUESTIONS = {
    "what is ready": ("SELECT 1 FROM workflow WHERE phase = 'ready' LIMIT 1", "workflow_ready"),
    "what is held": ("SELECT 1 FROM workflow WHERE phase = 'held' LIMIT 1", "workflow_held"),
    "what is due": ("SELECT key FROM workflow WHERE phase = 'parked' AND due_us <= 5 ORDER BY due_us", "workflow_due"),
    "which deadline has passed": (
        "SELECT key FROM workflow WHERE completed_us IS NULL AND deadline_us <= 5 ORDER BY deadline_us",
        "workflow_deadline",
    ),
    "what an engine holds": ("SELECT key FROM workflow WHERE owner = 5", "workflow_owner"),
    "who waits for an end": ("SELECT workflow FROM wait WHERE waits = 'workflow:x'", "wait_waits"),
    "the children of a workflow": ("SELECT key FROM workflow WHERE parent = 5", "workflow_parent"),
    "what waits on a queue": (
        (
            "SELECT version FROM task WHERE queue = 'q' AND state = 'waiting' AND name = 'a' AND version > ''"
            " ORDER BY version LIMIT 1"
        ),
        "task_waiting",
    ),
    "who is first on a queue": (
        (
            "SELECT priority, workflow FROM task WHERE queue = 'q' AND state = 'waiting' AND name = 'a' AND version = ''"
            " ORDER BY priority, workflow LIMIT 5"
        ),
        "task_waiting",
    ),
    "who is behind in a partition": (
        (
            "SELECT workflow FROM task WHERE queue = 'q' AND partition = 'p' AND state = 'behind'"
            " ORDER BY priority, workflow LIMIT 1"
        ),
        "task_behind",
    ),
    "who waits in a partition": (
        (
            "SELECT priority, workflow FROM task WHERE queue = 'q' AND partition = 'p' AND state = 'waiting'"
            " ORDER BY priority, workflow LIMIT 5"
        ),
        "task_part",
    ),
    "how many slots a queue has given": ("SELECT count(*) FROM task WHERE queue = 'q' AND slot = 1", "task_slot"),
    "which delay is over": (
        "SELECT workflow FROM task WHERE state = 'delayed' AND due_us <= 5 ORDER BY due_us LIMIT 5",
        "task_delayed",
    ),
    "who has a deduplication id": (
        (
            "SELECT workflow FROM task WHERE queue = 'q' AND deduplication_id = 'd' AND deduplication_id IS NOT NULL"
            " AND state <> 'ended'"
        ),
        "task_once",
    ),
    "who was started from a queue and may go on": (
        "SELECT key FROM workflow WHERE phase = 'ready' AND queue = 'q' ORDER BY key LIMIT 5",
        "workflow_woken",
    ),
    "a step": ("SELECT 1 FROM step WHERE workflow = 5 AND step = '1'", "step_number"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_each_question_has_an_index(path: Path, question: str) -> None:
    sql, index = QUESTIONS[question]
    with litewf.Engine(path, registry=litewf.Registry()):
        pass
    connection = apsw.Connection(str(path))
    details = plan(connection, sql)
    connection.close()
    assert any(f"INDEX {index}" in detail for detail in details), details
    assert not any("TEMP B-TREE" in detail for detail in details), details
