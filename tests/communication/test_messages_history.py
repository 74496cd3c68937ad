"""Messages when a workflow is rewound, forked, continued, cancelled, deleted; and their idempotency keys."""

import pytest

import litewf
from tests.communication.acting import rows, start, start_parked
from tests.stage import Stage


@pytest.fixture
def pair(registry):
    """Receives two messages with a step in between."""

    @registry.step
    def between():
        pass

    @registry.workflow
    def pair():
        first = litewf.recv()
        between()
        return first, litewf.recv(timeout=0, default="nothing")

    return pair


@pytest.fixture
def rounds(registry):
    """Receives one message in each generation, until "stop" comes."""

    @registry.workflow
    def rounds(*got):
        message = litewf.recv()
        if message != "stop":
            litewf.continue_as_new(*got, message)
        return got

    return rounds


def inbox(engine, unread_only=True):
    where = "WHERE taken_by IS NULL" if unread_only else ""
    return [value for (value,) in engine.query(f"SELECT value FROM message {where} ORDER BY key")]


def send_each(engine, *messages, to="w"):
    engine.send_bulk([litewf.Message(to, message) for message in messages])


# --- rewind and fork ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start_step", "returned", "result"),
    [(1, ['"a"', '"b"', '"c"'], ("a", "b")), (2, ['"b"', '"c"'], ("a", "b")), (3, ['"b"', '"c"'], ("a", "b"))],
)
def test_a_rewind_returns_the_messages_consumed_from_that_step_on(stage: Stage, pair, start_step, returned, result):
    with stage.engine() as engine:
        handle = start(engine, pair, "w")
        send_each(engine, "a", "b", "c")
        assert handle.get_result() == ("a", "b")
        engine.shutdown()
    with stage.engine(registry=litewf.Registry()) as other:  # it cannot run what it rewinds
        other.rewind_workflow("w", start_step)
        assert inbox(other) == returned
    with stage.engine() as engine:  # of another version, so it tries what that one may hold
        assert engine.retrieve_workflow("w").get_result() == result
        assert inbox(engine) == ['"c"']


def test_a_rewind_returns_what_branches_consumed(stage: Stage, registry):
    import asyncio

    @registry.workflow
    async def main():
        async def branch():
            return await litewf.recv_async()

        first = await litewf.recv_async()
        return first, sorted(await asyncio.gather(branch(), branch()))

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        send_each(engine, 1, 2, 3)
        assert handle.get_result() == (1, [2, 3])
        engine.rewind_workflow("w", 2)
        assert handle.get_result() == (1, [2, 3])
        assert inbox(engine) == []


def test_a_message_returned_by_a_rewind_comes_before_later_ones(stage: Stage, pair):
    with stage.engine() as engine:
        handle = start(engine, pair, "w")
        send_each(engine, "a")
        assert handle.get_result() == ("a", "nothing")
        send_each(engine, "b")
        engine.rewind_workflow("w", 1)
        assert handle.get_result() == ("a", "b")


def test_what_timed_out_may_find_a_message_after_a_rewind(stage: Stage, pair):
    with stage.engine() as engine:
        handle = start(engine, pair, "w")
        send_each(engine, "a")
        handle.get_result()
        send_each(engine, "late")
        engine.rewind_workflow("w", 3)
        assert handle.get_result() == ("a", "late")


def test_a_rewound_workflow_sends_again_unless_the_message_has_a_key(stage: Stage, registry, pair):
    @registry.workflow
    def sender():
        litewf.send("w", "plain")
        litewf.send("w", "keyed", idempotency_key="once")

    with stage.engine() as engine:
        start(engine, pair, "w")
        handle = start(engine, sender, "s")
        handle.get_result()
        engine.rewind_workflow("s", 1)
        handle.get_result()
        assert inbox(engine, unread_only=False) == ['"plain"', '"keyed"', '"plain"']


def test_a_fork_has_an_empty_inbox_and_remembers_what_was_received(stage: Stage, pair):
    with stage.engine() as engine:
        handle = start(engine, pair, "w")
        send_each(engine, "a")
        handle.get_result()
        send_each(engine, "left over")
        fork = engine.fork_workflow("w", 2, workflow_id="f")
        assert fork.get_result() == ("a", "nothing")
        other = engine.fork_workflow("w", 1, workflow_id="g")
        stage.parked(other)
        engine.send("g", "new")
        assert other.get_result() == ("new", "nothing")
        assert inbox(engine) == ['"left over"']


# --- generations --------------------------------------------------------------------------------------------------


def test_continue_as_new_keeps_unread_messages_and_never_reads_old_ones_again(stage: Stage, rounds):
    with stage.engine() as engine:
        handle = start(engine, rounds, "w")
        send_each(engine, 1, 2, 3, "stop")
        assert handle.get_result() == (1, 2, 3)
        assert handle.get_status().generation == 4


def test_messages_of_other_topics_wait_through_generations(stage: Stage, registry):
    @registry.workflow
    def main(n=1):
        litewf.recv("go")
        if n < 3:
            litewf.continue_as_new(n + 1)
        return [litewf.recv("kept", timeout=0) for _ in range(2)]

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        engine.send("w", "x", topic="kept")
        engine.send("w", "y", topic="kept")
        for _ in range(3):
            engine.send("w", None, topic="go")
        assert handle.get_result() == ["x", "y"]


def test_a_rewind_to_the_first_step_does_not_return_what_earlier_generations_received(stage: Stage, rounds):
    with stage.engine() as engine:
        handle = start(engine, rounds, "w")
        send_each(engine, 1, 2, "stop")
        assert handle.get_result() == (1, 2)
        engine.rewind_workflow("w", 1)
        assert handle.get_result() == (1, 2)
        assert rows(engine, "message") == 1  # what was received is forgotten with its generation


def test_a_deadline_begins_anew_in_each_generation(stage: Stage, registry):
    @registry.workflow
    def main(n=1):
        litewf.recv(timeout=10, default=None)
        if n < 2:
            litewf.continue_as_new(n + 1)
        return litewf.now()

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        for _ in range(2):
            stage.asleep(handle)
            before = stage.clock.now
            stage.clock.move(10)
        moment = handle.get_result()
    assert (moment - before).total_seconds() == 10


# --- idempotency keys ---------------------------------------------------------------------------------------------


def keyed(message, key="k", to="w", topic=None):
    return litewf.Message(to, message, topic, key)


def test_a_key_admits_one_message_the_first(stage: Stage, pair):
    """E6, A6."""
    with stage.engine() as engine:
        handle = start_parked(stage, engine, pair, "w")
        for message in ("a", "b"):
            engine.send("w", message, idempotency_key="k")
        assert handle.get_result() == ("a", "nothing")


def test_a_key_counts_within_one_bulk(stage: Stage, pair):
    with stage.engine() as engine:
        start(engine, pair, "w")
        engine.send_bulk([keyed("a"), keyed("b"), keyed("c", "other")])
        assert engine.retrieve_workflow("w").get_result() == ("a", "c")
        assert rows(engine, "message") == 2


def test_a_key_counts_for_one_destination_and_for_all_of_its_topics(stage: Stage, pair):
    with stage.engine() as engine:
        for name in ("w", "v"):
            start(engine, pair, name)
        engine.send_bulk([keyed("a", to="w"), keyed("b", to="v"), keyed("again", to="w", topic="other")])
        assert engine.retrieve_workflow("w").get_result()[0] == "a"
        assert engine.retrieve_workflow("v").get_result()[0] == "b"
        assert rows(engine, "message") == 2


def test_a_key_counts_after_the_message_was_consumed_and_after_the_workflow_ended(stage: Stage, pair):
    with stage.engine() as engine:
        handle = start(engine, pair, "w")
        engine.send("w", "a", idempotency_key="k")
        handle.get_result()
        engine.send("w", "b", idempotency_key="k")
        assert inbox(engine) == []


def test_a_key_counts_after_a_rewind_and_the_first_message_is_read_again(stage: Stage, pair):
    with stage.engine() as engine:
        handle = start(engine, pair, "w")
        engine.send("w", "a", idempotency_key="k")
        handle.get_result()
        engine.rewind_workflow("w", 1)
        engine.send("w", "b", idempotency_key="k")
        assert handle.get_result() == ("a", "nothing")


def test_a_key_counts_in_later_generations(stage: Stage, rounds):
    with stage.engine() as engine:
        handle = start(engine, rounds, "w")
        engine.send("w", 1, idempotency_key="k")
        stage.until(lambda: handle.get_status().generation == 2)
        engine.send("w", "again", idempotency_key="k")
        engine.send("w", "stop")
        assert handle.get_result() == (1,)


def test_a_key_counts_for_sends_from_workflows_and_from_outside_alike(stage: Stage, registry, pair):
    @registry.workflow
    def sender(message):
        litewf.send("w", message, idempotency_key="k")

    with stage.engine() as engine:
        start_parked(stage, engine, pair, "w")
        engine.run_workflow(sender, "first")
        engine.run_workflow(sender, "second")
        engine.send("w", "third", idempotency_key="k")
        assert engine.retrieve_workflow("w").get_result() == ("first", "nothing")


def test_a_key_is_free_once_its_workflow_is_deleted(stage: Stage, pair):
    with stage.engine() as engine:
        for message in ("a", "b"):
            handle = start(engine, pair, "w")
            engine.send("w", message, idempotency_key="k")
            assert handle.get_result() == (message, "nothing")
            engine.delete_workflow("w")


# --- cancel, delete, prune ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("linger", [0, None])
def test_a_cancelled_recv_consumes_nothing_and_a_resume_receives_it(stage: Stage, pair, linger):
    with stage.engine(linger=linger) as engine:
        handle = start(engine, pair, "w")
        stage.until(lambda: engine.list_steps("w") or linger is None or handle.get_status().waiting_on)
        handle.cancel()
        engine.send("w", "kept")
        with pytest.raises(litewf.WorkflowCancelledError):
            handle.get_result()
        assert inbox(engine) == ['"kept"']
        engine.resume_workflow("w")
        assert handle.get_result() == ("kept", "nothing")


@pytest.mark.parametrize("how", ["delete", "prune"])
def test_messages_go_with_their_workflow(stage: Stage, pair, how):
    with stage.engine() as engine:
        for name in ("w", "v"):
            handle = start(engine, pair, name)
            send_each(engine, "a", "b", "unread", to=name)
            handle.get_result()
        assert rows(engine, "message") == 6
        if how == "delete":
            engine.delete_workflow("w")
            assert rows(engine, "message") == 3
        else:
            stage.clock.move(100)
            engine.prune(older_than=50)
            assert rows(engine, "message") == 0
        with pytest.raises(litewf.WorkflowNotFoundError):
            engine.send("w", "too late")
