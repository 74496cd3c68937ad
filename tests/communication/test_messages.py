"""send and recv: each message once, in order, consumed in the commit that records it."""

import threading

import pytest

import litewf
from tests.communication.acting import start
from tests.stage import Stage


@pytest.fixture
def reader(registry):
    """Receives `count` messages on a topic."""

    @registry.workflow(name="reader")
    def reader(count, topic=None):
        return [litewf.recv(topic) for _ in range(count)]

    return reader


@pytest.fixture
def async_reader(registry):
    @registry.workflow(name="async reader")
    async def reader(count, topic=None):
        return [await litewf.recv_async(topic) for _ in range(count)]

    return reader


@pytest.fixture(params=["sync", "async"])
def any_reader(request, reader, async_reader):
    return reader if request.param == "sync" else async_reader


# --- sending and receiving ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("linger", [0, None])
def test_messages_of_a_topic_come_in_the_order_of_sending(stage: Stage, any_reader, linger):
    """E3."""
    with stage.engine(linger=linger) as engine:
        handle = start(engine, any_reader, "r", 5, "news")
        for n in range(5):
            engine.send("r", n, topic="news")
        assert handle.get_result() == [0, 1, 2, 3, 4]


def test_no_topic_means_only_messages_without_one(stage: Stage, registry):
    @registry.workflow
    def main():
        return litewf.recv(), litewf.recv("a"), litewf.recv("b"), litewf.recv(timeout=0, default="none is left")

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.parked(handle)
        engine.send_bulk([litewf.Message("w", topic, topic) for topic in ("b", "a", None)])
        assert handle.get_result() == (None, "a", "b", "none is left")


def test_messages_that_came_before_the_first_recv_are_not_lost(stage: Stage, registry, any_reader):
    with stage.engine() as engine:
        gate = threading.Event()

        @registry.step(name="hold")
        def hold():
            assert gate.wait(20)

        @registry.workflow(name="late")
        def late():
            hold()
            return litewf.recv(), litewf.recv()

        handle = start(engine, late, "late")
        engine.send("late", 1)
        engine.send("late", 2)
        gate.set()
        assert handle.get_result() == (1, 2)


def test_a_workflow_sends_to_another_and_hears_back(stage: Stage, registry):
    @registry.workflow
    def answering():
        while (question := litewf.recv()) is not None:
            litewf.send(question["from"], question["n"] * 2, topic="answer")

    @registry.workflow
    async def asking():
        answers = []
        for n in range(3):
            await litewf.send_async("a", {"from": litewf.workflow_id(), "n": n})
            answers.append(await litewf.recv_async("answer"))
        await litewf.send_async("a", None)
        return answers

    with stage.engine() as engine:
        answerer = start(engine, answering, "a")
        assert engine.run_workflow(asking) == [0, 2, 4]
        assert answerer.get_result() is None


def test_a_workflow_may_send_to_itself(stage: Stage, registry):
    @registry.workflow
    def main():
        litewf.send(litewf.workflow_id(), "note to self")
        return litewf.recv()

    with stage.engine() as engine:
        assert engine.run_workflow(main) == "note to self"


def test_none_as_a_message_is_not_the_same_as_no_message(stage: Stage, registry):
    replays = []

    @registry.workflow
    def main():
        got = [litewf.recv(default="nothing"), litewf.recv(timeout=0, default="nothing")]
        replays.append(got)
        litewf.sleep(10)
        return got

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        engine.send("w", None)
        stage.asleep(handle)
        stage.clock.move(10)
        assert handle.get_result() == [None, "nothing"]
    assert replays[-1] == [None, "nothing"]
    assert len(replays) > 1, "the second run replayed both"


def test_a_bulk_is_one_commit_and_reaches_several_workflows(stage: Stage, reader):
    with stage.engine() as engine:
        handles = [start(engine, reader, name, 2) for name in ("x", "y")]
        for handle in handles:
            stage.parked(handle)
        before = engine.query("SELECT max(key) FROM message")
        engine.send_bulk([litewf.Message(to, (to, n)) for n in range(2) for to in ("x", "y")])
        assert before == [(None,)]
        assert [handle.get_result() for handle in handles] == [[("x", 0), ("x", 1)], [("y", 0), ("y", 1)]]


def test_an_empty_bulk_sends_nothing(stage: Stage, registry):
    @registry.workflow
    def main():
        litewf.send_bulk([])
        return "sent"

    with stage.engine() as engine:
        engine.send_bulk([])
        assert engine.run_workflow(main) == "sent"
        assert engine.query("SELECT count(*) FROM message") == [(0,)]


def test_what_is_sent_is_what_it_was_at_the_call(stage: Stage, registry):
    @registry.workflow
    async def main():
        letter = {"n": 1}
        sending = litewf.send_async(litewf.workflow_id(), letter)
        letter["n"] = 2
        await sending
        return await litewf.recv_async()

    with stage.engine() as engine:
        assert engine.run_workflow(main) == {"n": 1}


# --- exactly once -------------------------------------------------------------------------------------------------


def test_a_send_in_a_workflow_happens_once_however_often_it_is_replayed(stage: Stage, registry, reader):
    """E6. Edda and Romancy publish again on every replay."""
    runs = []

    @registry.workflow
    def sender():
        runs.append(1)
        litewf.send("r", "hello")
        litewf.send_bulk([litewf.Message("r", "a"), litewf.Message("r", "b")])
        litewf.sleep(10)
        litewf.sleep(10)

    with stage.engine() as engine:
        start(engine, reader, "r", 10)
        handle = engine.start_workflow(sender)
        for _ in range(2):
            stage.asleep(handle)
            stage.clock.move(10)
        handle.get_result()
        assert len(runs) == 3
        assert engine.query("SELECT value FROM message ORDER BY key") == [('"hello"',), ('"a"',), ('"b"',)]


def test_a_message_is_taken_in_the_commit_that_records_it(stage: Stage, reader):
    """E2."""
    with stage.engine() as engine:
        handle = start(engine, reader, "r", 2)
        stage.parked(handle)
        seen = []

        def both():
            rows = engine.query(
                "SELECT (SELECT count(*) FROM message WHERE taken_by IS NOT NULL),"
                " (SELECT count(*) FROM step WHERE name = 'litewf.recv' AND completed_us IS NOT NULL)"
            )
            seen.extend(rows)
            return handle.get_status().status == "SUCCESS"

        engine.send("r", 1)
        engine.send("r", 2)
        stage.until(both)
    assert all(taken == recorded for taken, recorded in seen), seen


def test_a_message_is_one_step_and_a_wait_for_it_too(stage: Stage, any_reader):
    """DBOS takes two step numbers for each recv."""
    with stage.engine() as engine:
        handle = start(engine, any_reader, "r", 2)
        stage.parked(handle)
        engine.send("r", "x")
        engine.send("r", "y")
        handle.get_result()
        assert [(step.step_id, step.name, step.output) for step in engine.list_steps("r")] == [
            ("1", "litewf.recv", "x"),
            ("2", "litewf.recv", "y"),
        ]


# --- destinations -------------------------------------------------------------------------------------------------


def test_an_unknown_destination_raises_at_once_and_nothing_of_a_bulk_is_sent(stage: Stage, reader):
    with stage.engine() as engine:
        start(engine, reader, "r", 1)
        with pytest.raises(litewf.WorkflowNotFoundError, match="nobody"):
            engine.send("nobody", 1)
        with pytest.raises(litewf.WorkflowNotFoundError, match="nobody"):
            engine.send_bulk([litewf.Message("r", 1), litewf.Message("nobody", 1)])
        assert engine.query("SELECT count(*) FROM message") == [(0,)]


def test_an_unknown_destination_is_recorded_and_replays_the_same(stage: Stage, registry, reader):
    seen = []

    @registry.workflow
    def main():
        for send in (
            lambda: litewf.send("later", 1),
            lambda: litewf.send_bulk([litewf.Message(litewf.workflow_id(), 1), litewf.Message("later", 1)]),
        ):
            try:
                send()
            except litewf.WorkflowNotFoundError as error:
                seen.append(str(error))
        litewf.sleep(10)
        return litewf.recv(timeout=0, default="nothing of the bulk")

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.asleep(handle)
        start(engine, reader, "later", 1)  # it exists by the time of the replay
        stage.clock.move(10)
        assert handle.get_result() == "nothing of the bulk"
        assert [step.name for step in engine.list_steps("w")] == [
            "litewf.send",
            "litewf.send_bulk",
            "litewf.sleep",
            "litewf.recv",
        ]
    assert len(seen) == 4
    assert seen[:2] == seen[2:]


def test_a_finished_workflow_accepts_and_keeps_what_it_is_sent(stage: Stage, reader):
    with stage.engine() as engine:
        handle = start(engine, reader, "r", 1)
        engine.send("r", "read")
        handle.get_result()
        engine.send("r", "kept")
        assert engine.query("SELECT value FROM message WHERE taken_by IS NULL") == [('"kept"',)]
        assert handle.get_result() == ["read"]
        engine.rewind_workflow("r", 1)
        assert handle.get_result() == ["read"]
        engine.rewind_workflow("r", 1)


# --- holding nothing ----------------------------------------------------------------------------------------------


def test_a_parked_recv_holds_no_thread_and_no_execution(stage: Stage, reader, async_reader):
    with stage.engine(max_threads=4) as engine:
        before = threading.active_count()
        handles = [start(engine, reader, f"r{n}", 1) for n in range(20)]
        handles += [start(engine, async_reader, f"a{n}", 1) for n in range(20)]
        for handle in handles:
            stage.parked(handle)
        runtime = engine._running()
        with runtime._none_active:
            assert runtime._none_active.wait_for(lambda: not runtime._active, 20)
        assert threading.active_count() <= before + 7  # the pool's four, the loop's, and two that read for it
        engine.send_bulk([litewf.Message(handle.workflow_id, handle.workflow_id) for handle in handles])
        assert [handle.get_result() for handle in handles] == [[handle.workflow_id] for handle in handles]


@pytest.mark.parametrize(("topic", "what"), [(None, "a message"), ("money", "a message on topic 'money'")])
def test_waiting_on_says_what_and_until_when(stage: Stage, registry, topic, what):
    @registry.workflow
    def main():
        litewf.recv(topic, timeout=60)

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.parked(handle)
        (wait,) = handle.get_status().waiting_on
        assert (wait.step_id, wait.what) == ("1", what)
        assert (wait.until - stage.clock.now).total_seconds() == 60
        engine.send("w", 1, topic=topic)
        handle.get_result()
        assert handle.get_status().waiting_on == ()


def test_sending_from_an_event_loop(stage: Stage, reader):
    import asyncio

    async def main():
        async with stage.engine() as engine:
            handle = await engine.start_workflow_async(reader.with_options(workflow_id="r"), 3)
            await engine.send_async("r", 1)
            await engine.send_bulk_async([litewf.Message("r", 2), litewf.Message("r", 3)])
            return await handle.get_result_async()

    assert asyncio.run(main()) == [1, 2, 3]


def test_a_step_sends_with_the_engines_method_each_time_that_it_runs(stage: Stage, registry, reader):
    engine = stage.engine()

    @registry.step(max_retries=1, base_interval=0)
    def notify():
        engine.send("r", litewf.attempt())
        if litewf.attempt() == 1:
            raise ValueError

    @registry.workflow
    def main():
        notify()

    with engine:
        handle = start(engine, reader, "r", 2)
        engine.run_workflow(main)
        assert handle.get_result() == [1, 2]
