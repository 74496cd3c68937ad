"""Calls that make no sense are refused where they are made, before anything is written or numbered."""

import asyncio
import threading
import uuid
from datetime import timedelta

import pytest

import litewf
from tests.communication.acting import rows, start
from tests.stage import Stage

BAD_NAMES = {
    "empty": ("", ValueError),
    "a blank": (" ", ValueError),
    "blanks at its ends": ("a ", ValueError),
    "a megabyte": ("x" * 1_000_000, ValueError),
    "NUL": ("a\0b", ValueError),
    "newline": ("a\nb", ValueError),
    "lone surrogate": ("\ud800", ValueError),
    "bidi mark": ("a\u202eb", ValueError),
    "int": (7, TypeError),
    "bytes": (b"a", TypeError),
    "UUID": (uuid.UUID(int=1), TypeError),
}
GOOD_NAMES = [
    "emoji 🦕",
    "caf\u00e9",
    "cafe\u0301",
    "A",
    "a",
    "../x",
    "'; DROP TABLE message; --",
    "%_",
    "007",
    "litewf.x",
]
BAD_IDS = {
    "unknown": ("nobody", litewf.WorkflowNotFoundError),
    "empty": ("", litewf.WorkflowNotFoundError),
    "lone surrogate": ("\ud800", litewf.WorkflowNotFoundError),
    "None": (None, TypeError),
    "int": (7, TypeError),
    "UUID": (uuid.UUID(int=1), TypeError),
}
BAD_TIMEOUTS = {
    "negative": (-1, ValueError),
    "NaN": (float("nan"), ValueError),
    "infinite": (float("inf"), ValueError),
    "huge": (1e300, ValueError),
    "text": ("5", TypeError),
    "bool": (True, TypeError),
    "negative timedelta": (timedelta(seconds=-1), ValueError),
    "longest timedelta": (timedelta.max, ValueError),
}
BAD_VALUES = {
    "object": object(),
    "lock": threading.Lock(),
    "generator": (n for n in ()),
    "function": lambda: None,
}


def cases(table):
    return [pytest.param(*(value if isinstance(value, tuple) else (value,)), id=name) for name, value in table.items()]


@pytest.fixture
def tried(stage: Stage, registry):
    """Makes a call inside a sync or an async workflow, and says what it raised and what was written."""

    @registry.workflow(name="reader")
    def reader():
        return litewf.recv()

    def try_(call, engine):
        seen = []

        @registry.workflow(name="caller")
        def caller():
            try:
                call(litewf)
            except Exception as error:
                seen.append(error)
            return litewf.recv(timeout=0, default="went on")

        assert engine.run_workflow(caller) == "went on"
        return seen[0]

    with stage.engine() as engine:
        start(engine, reader, "r")
        yield lambda call: _both(engine, lambda: try_(call, engine), call)
        assert rows(engine, "message") == 0
        assert rows(engine, "event") == 0
        steps = engine.query("SELECT name, step FROM step")
        assert set(steps) <= {("litewf.recv", "1")}, "a refused call takes no number"


def _both(engine, inside, outside):
    """The call from outside, and in a workflow: it is refused alike."""
    with pytest.raises(Exception) as caught:
        outside(engine)
    error = inside()
    assert type(error) is type(caught.value)
    return error


@pytest.mark.parametrize(("topic", "kind"), cases(BAD_NAMES))
def test_a_bad_topic_is_refused_by_send(tried, topic, kind):
    assert isinstance(tried(lambda on: on.send("r", 1, topic)), kind)
    assert isinstance(tried(lambda on: on.send_bulk([litewf.Message("r", 1), litewf.Message("r", 1, topic)])), kind)


@pytest.mark.parametrize(("key", "kind"), cases(BAD_NAMES))
def test_a_bad_idempotency_key_is_refused(tried, key, kind):
    assert isinstance(tried(lambda on: on.send("r", 1, idempotency_key=key)), kind)
    assert isinstance(tried(lambda on: on.send_bulk([litewf.Message("r", 1, None, key)])), kind)


@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in BAD_VALUES.items()])
def test_a_message_that_cannot_be_recorded_is_refused_without_a_number(tried, value):
    assert isinstance(tried(lambda on: on.send("r", {"x": [value]})), litewf.SerializationError)
    bulk = [litewf.Message("r", 1), litewf.Message("r", value)]
    assert isinstance(tried(lambda on: on.send_bulk(bulk)), litewf.SerializationError)


@pytest.mark.parametrize("bulk", [None, 5, "text", [("r", 1)], [None], [{"workflow_id": "r", "message": 1}]], ids=repr)
def test_a_bulk_is_a_list_of_messages(tried, bulk):
    assert isinstance(tried(lambda on: on.send_bulk(bulk)), TypeError)


@pytest.mark.parametrize(("workflow_id", "kind"), cases(BAD_IDS))
def test_a_bad_destination_is_refused(stage: Stage, registry, workflow_id, kind):
    @registry.workflow
    def main():
        with pytest.raises(kind):
            litewf.send(workflow_id, 1)

    with stage.engine() as engine:
        for send in (lambda: engine.send(workflow_id, 1), lambda: engine.send_bulk([litewf.Message(workflow_id, 1)])):
            with pytest.raises(kind):
                send()
        engine.run_workflow(main)
        assert rows(engine, "message") == 0


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_any_printable_text_is_a_topic_of_its_own(stage: Stage, registry, name):
    @registry.workflow
    def reader():
        return [litewf.recv(topic, timeout=0, default=None) for topic in GOOD_NAMES]

    with stage.engine() as engine:

        @registry.step
        def send():
            engine.send(litewf.workflow_id(), name, topic=name, idempotency_key=name)

        @registry.workflow
        def main():
            send()
            return [litewf.recv(topic, timeout=0, default=None) for topic in GOOD_NAMES]

        assert [got for got in engine.run_workflow(main) if got is not None] == [name]


@pytest.mark.parametrize(("topic", "kind"), cases(BAD_NAMES))
def test_a_bad_topic_is_refused_by_recv(stage: Stage, registry, topic, kind):
    _refused_by_recv(stage, registry, kind, topic)


@pytest.mark.parametrize(("timeout", "kind"), cases(BAD_TIMEOUTS))
def test_a_bad_timeout_is_refused_by_recv(stage: Stage, registry, timeout, kind):
    _refused_by_recv(stage, registry, kind, timeout=timeout)


def _refused_by_recv(stage, registry, kind, *args, **options):
    @registry.workflow
    def main():
        with pytest.raises(kind):
            litewf.recv(*args, **options)

    @registry.workflow
    async def main_async():
        with pytest.raises(kind):
            await litewf.recv_async(*args, **options)

    with stage.engine() as engine:
        for workflow in (main, main_async):
            engine.run_workflow(workflow)
        assert rows(engine, "step") == 0


# --- where they are called ----------------------------------------------------------------------------------------

BLOCKING = {
    "recv": litewf.recv,
    "send": lambda: litewf.send("r", 1),
    "send_bulk": lambda: litewf.send_bulk([litewf.Message("r", 1)]),
    "set_event": lambda: litewf.set_event("k", 1),
    "get_event": lambda: litewf.get_event("r", "k"),
    "get_all_events": lambda: litewf.get_all_events("r"),
}
ASYNC = {
    "recv_async": litewf.recv_async,
    "send_async": lambda: litewf.send_async("r", 1),
    "send_bulk_async": lambda: litewf.send_bulk_async([litewf.Message("r", 1)]),
    "set_event_async": lambda: litewf.set_event_async("k", 1),
    "get_event_async": lambda: litewf.get_event_async("r", "k"),
    "get_all_events_async": lambda: litewf.get_all_events_async("r"),
}
EITHER = [pytest.param(call, id=name) for name, call in {**BLOCKING, **ASYNC}.items()]
SETTING = {"set_event", "set_event_async"}
OF_THE_ENGINE = {
    "send": lambda engine: engine.send("r", 1),
    "send_bulk": lambda engine: engine.send_bulk([litewf.Message("r", 1)]),
    "get_event": lambda engine: engine.get_event("r", "k"),
    "get_all_events": lambda engine: engine.get_all_events("r"),
}


def of_the_engine():
    return [pytest.param(name, call, id=name) for name, call in OF_THE_ENGINE.items()]


@pytest.mark.parametrize("call", EITHER)
def test_outside_a_workflow_it_raises_not_in_workflow(stage: Stage, call):
    with stage.engine(), pytest.raises(litewf.NotInWorkflowError):
        call()


@pytest.mark.parametrize(("name", "call"), [pytest.param(name, call, id=name) for name, call in BLOCKING.items()])
def test_a_blocking_form_in_an_async_workflow_names_the_async_one(stage: Stage, registry, name, call):
    @registry.workflow
    async def main():
        with pytest.raises(litewf.BlockingCallError, match=f"{name}_async"):
            call()

    with stage.engine() as engine:
        engine.run_workflow(main)
        assert engine.query("SELECT count(*) FROM step") == [(0,)]


@pytest.mark.parametrize(("name", "call"), [pytest.param(name, call, id=name) for name, call in ASYNC.items()])
def test_an_async_form_in_a_sync_workflow_names_the_blocking_one(stage: Stage, registry, name, call):
    @registry.workflow
    def main():
        with pytest.raises(litewf.UsageError, match=rf"^{name}.* call {name.removesuffix('_async')}\(\)"):
            call()

    with stage.engine() as engine:
        engine.run_workflow(main)
        assert engine.query("SELECT count(*) FROM step") == [(0,)]


@pytest.mark.parametrize(("name", "call"), of_the_engine())
def test_the_engines_blocking_method_on_an_event_loop_names_the_async_one(stage: Stage, name, call):
    async def main():
        async with stage.engine() as engine:
            with pytest.raises(litewf.BlockingCallError, match=f"{name}_async"):
                call(engine)

    asyncio.run(main())


@pytest.mark.parametrize(
    "call", [pytest.param(call, id=name) for name, call in {**BLOCKING, **ASYNC}.items() if name not in SETTING]
)
def test_inside_a_step_it_raises_and_names_the_step(stage: Stage, registry, call):
    @registry.step
    def body():
        with pytest.raises(litewf.UsageError, match=r"step 1 \(.*body\)"):
            call()

    @registry.workflow
    def main():
        body()

    with stage.engine() as engine:
        engine.run_workflow(main)


@pytest.mark.parametrize("call", EITHER)
def test_inside_a_transaction_everything_raises(stage: Stage, registry, call):
    @registry.transaction
    def body(conn):
        with pytest.raises(litewf.UsageError):
            call()

    @registry.workflow
    def main():
        body()

    with stage.engine() as engine:
        engine.run_workflow(main)
        assert rows(engine, "event") == 0


@pytest.mark.parametrize(("name", "call"), of_the_engine())
def test_the_engines_methods_are_refused_inside_transactions(stage: Stage, registry, name, call):
    engine = stage.engine()

    @registry.transaction
    def body(conn):
        with pytest.raises(litewf.UsageError, match="inside a transaction"):
            call(engine)

    @registry.workflow
    def main():
        body()

    with engine:
        engine.run_workflow(main)

        def mine(conn):
            with pytest.raises(litewf.UsageError, match="inside a transaction"):
                call(engine)

        engine.transact(mine)


@pytest.mark.parametrize(("name", "call"), of_the_engine())
def test_another_engine_inside_a_workflow_is_refused_and_names_run_step(stage: Stage, registry, tmp_path, name, call):
    with litewf.Engine(tmp_path / "other.db", registry=litewf.Registry()) as other:

        @registry.workflow
        def main():
            with pytest.raises(litewf.UsageError, match="run_step"):
                call(other)

        with stage.engine() as engine:
            engine.run_workflow(main)


@pytest.mark.parametrize(("name", "call"), of_the_engine())
def test_after_the_shutdown_everything_raises(stage: Stage, name, call):
    engine = stage.engine()
    with pytest.raises(litewf.EngineClosedError):
        call(engine)
    engine.launch()
    engine.shutdown()
    with pytest.raises(litewf.EngineClosedError):
        call(engine)


def test_recv_in_a_thread_that_the_workflow_started_is_refused(stage: Stage, registry):
    import contextvars

    @registry.workflow
    def main():
        seen = []

        def work():
            try:
                litewf.recv()
            except Exception as error:
                seen.append(error)

        thread = threading.Thread(target=contextvars.copy_context().run, args=(work,))
        thread.start()
        thread.join()
        assert isinstance(seen[0], litewf.UsageError)

    with stage.engine() as engine:
        engine.run_workflow(main)


@pytest.mark.parametrize("table", ["message", "event", "stream", "cloud_event", "taking"])
def test_a_users_transaction_cannot_touch_the_tables(stage: Stage, table):
    with stage.engine() as engine, pytest.raises(litewf.UsageError, match=table):
        engine.transact(lambda conn: conn.execute(f"DELETE FROM {table}"))
