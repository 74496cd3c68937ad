"""recv where several things happen at once: branches, races of waits, and messages that come while it parks."""

import asyncio
import threading

import pytest

import litewf
from litewf.engine import drivers
from tests.communication.acting import rows, start
from tests.stage import PATIENCE_S, Stage


def elsewhere(act):
    """Do something in a thread of its own, which is in no workflow."""
    thread = threading.Thread(target=act)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


@pytest.fixture(params=["sync", "async"])
def reader(request, registry):
    @registry.workflow(name="reader")
    def reader(count):
        return [litewf.recv() for _ in range(count)]

    @registry.workflow(name="async reader")
    async def async_reader(count):
        return [await litewf.recv_async() for _ in range(count)]

    return reader if request.param == "sync" else async_reader


# --- the window between the last look and the park ----------------------------------------------------------------


@pytest.mark.parametrize("sender", ["the same engine", "another engine"])
def test_a_message_sent_between_the_look_and_the_park_is_not_lost(stage: Stage, reader, monkeypatch, sender):
    """E5. Edda checks its queue and registers the wait in two transactions; what came in between was lost for good."""
    with stage.engine() as engine, stage.engine(registry=litewf.Registry()) as other:
        source = engine if sender == "the same engine" else other
        left = [1, 2, 3]
        park = drivers.parking

        def parking(execution, now_us):
            if left:
                elsewhere(lambda: source.send("r", left.pop(0)))
            return park(execution, now_us)

        monkeypatch.setattr(drivers, "parking", parking)
        assert start(engine, reader, "r", 3).get_result(timeout=PATIENCE_S) == [1, 2, 3]


@pytest.mark.parametrize("linger", [0, None])
def test_many_messages_that_race_with_waits_all_arrive_in_order(stage: Stage, reader, linger):
    """E1, E3, E5, B9: each send meets the receiver at another moment of its waiting."""
    with stage.engine(linger=linger) as engine, stage.engine(registry=litewf.Registry()) as other:
        handle = start(engine, reader, "r", 120)
        for n in range(0, 120, 2):
            engine.send("r", n)
            other.send("r", n + 1)
        assert handle.get_result(timeout=PATIENCE_S) == list(range(120))


def test_a_wait_that_begins_while_another_process_is_noticed_hears_of_its_message(stage: Stage, registry, monkeypatch):
    """E5: it registered after the engine had asked who waits, and before it had asked what is new."""
    waiting = threading.Event()

    @registry.workflow
    def reader():
        waiting.set()
        return litewf.recv()

    with stage.engine(linger=None) as engine, stage.engine(registry=litewf.Registry()) as other:
        notifier = engine._running().notifier
        ask = notifier.awaited
        began = []

        def awaited():
            found = ask()
            if not began:
                began.append(start(engine, reader, "r"))
                assert waiting.wait(PATIENCE_S)
                stage_until(lambda: any(key.startswith("message:") for key in ask()))
                elsewhere(lambda: other.send("r", "hello"))
            return found

        def stage_until(check):
            while not check():
                threading.Event().wait(0.001)  # a registration in memory: no commit tells of it

        monkeypatch.setattr(notifier, "awaited", awaited)
        other.transact(lambda conn: conn.execute("CREATE TABLE news (x)"))
        stage.until(lambda: began)
        assert began[0].get_result(timeout=PATIENCE_S) == "hello"


# --- branches -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("linger", [0, None])
def test_two_branches_that_receive_on_one_topic_get_one_message_each(stage: Stage, registry, linger):
    """DBOS 2.x took the second waiter on a topic for a duplicate execution."""
    runs = []

    @registry.workflow
    async def main():
        async def branch(name):
            return name, await litewf.recv_async("t")

        got = await asyncio.gather(*(branch(name) for name in "abc"))
        runs.append(got)
        await litewf.sleep_async(10)
        return got

    with stage.engine(linger=linger) as engine:
        start(engine, main, "w")
        for n in range(3):
            engine.send("w", n, topic="t")
        stage.until(lambda: any(step.name == "litewf.sleep" for step in engine.list_steps("w")))
        engine.shutdown()
    with stage.engine(linger=linger) as engine:
        stage.clock.move(10)
        got = engine.retrieve_workflow("w").get_result()
        taken = engine.query("SELECT taken_by FROM message")
    assert [name for name, _ in got] == ["a", "b", "c"]
    assert sorted(message for _, message in got) == [0, 1, 2]
    assert len(set(taken)) == 3
    assert all(run == got for run in runs)
    assert len(runs) == 2


def test_parked_branches_show_all_of_their_waits(stage: Stage, registry):
    @registry.workflow
    async def main():
        await asyncio.gather(litewf.recv_async("a", timeout=60), litewf.recv_async("b"), litewf.recv_async())

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.parked(handle)
        waits = {(wait.step_id, wait.what, wait.until) for wait in handle.get_status().waiting_on}
        assert {(step, what) for step, what, _ in waits} == {
            ("1", "a message on topic 'a'"),
            ("2", "a message on topic 'b'"),
            ("3", "a message"),
        }
        assert {(until - stage.clock.now).total_seconds() for _, _, until in waits if until} == {60}


def test_a_branch_that_gives_up_leaves_the_message_to_the_other(stage: Stage, registry):
    @registry.workflow
    async def main():
        return await asyncio.gather(litewf.recv_async(timeout=10, default="gave up"), litewf.recv_async())

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.asleep(handle)
        stage.clock.move(10)
        stage.until(lambda: engine.list_steps("w")[0].completed_at)
        engine.send("w", "hello")
        assert handle.get_result() == ["gave up", "hello"]


# --- wait_first ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("linger", [0, None])
def test_a_recv_that_lost_a_race_consumes_nothing(stage: Stage, registry, linger):
    @registry.workflow
    async def main():
        waits = {topic: litewf.recv_async(topic) for topic in ("a", "b")}
        first = await litewf.wait_first_async(list(waits.values()))
        won = next(topic for topic, wait in waits.items() if wait is first)
        got = await first
        return won, got, [await litewf.recv_async(topic, timeout=0, default=None) for topic in ("a", "b")]

    with stage.engine(linger=linger) as engine:
        handle = start(engine, main, "w")
        if linger == 0:
            stage.parked(handle)
        engine.send_bulk([litewf.Message("w", topic, topic) for topic in ("b", "a")])
        won, got, rest = handle.get_result()
    assert (won, got, rest) == ("a", "a", [None, "b"])  # of those that are over at once, the first in the list


@pytest.mark.parametrize("restart", [False, True])
def test_the_winners_message_is_kept_for_the_await(stage: Stage, registry, restart):
    @registry.workflow
    async def main():
        letter, nap = litewf.recv_async("a"), litewf.sleep_async(100)
        first = await litewf.wait_first_async([letter, nap])
        await litewf.sleep_async(10)  # parked between the choice and the receipt
        return first is letter, await first

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.parked(handle)
        engine.send("w", "hello", topic="a")
        stage.until(lambda: any(step.step_id == "4" for step in engine.list_steps("w")))
        stage.asleep(handle)
        assert engine.query("SELECT taken_by FROM message") == [("1",)]  # by the choice, so that nobody else gets it
        if restart:
            engine.shutdown()
            engine.launch()
        stage.clock.move(10)
        assert engine.retrieve_workflow("w").get_result() == (True, "hello")


def test_a_race_between_a_message_and_its_own_timeout(stage: Stage, registry):
    @registry.workflow
    async def main():
        hasty, patient = litewf.recv_async("a", timeout=10, default="nothing"), litewf.recv_async("b")
        first = await litewf.wait_first_async([hasty, patient])
        return first is hasty, await first

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.asleep(handle)
        stage.clock.move(10)
        assert handle.get_result() == (True, "nothing")


def test_a_withdrawn_recv_cannot_be_awaited(stage: Stage, registry):
    @registry.workflow
    async def main():
        a, b = litewf.recv_async("a"), litewf.recv_async("b")
        await litewf.wait_first_async([a, b])
        await a
        with pytest.raises(litewf.UsageError, match="withdrawn"):
            await b
        return "refused"

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        engine.send("w", 1, topic="a")
        assert handle.get_result() == "refused"


def test_a_race_that_times_out_withdraws_every_recv(stage: Stage, registry):
    @registry.workflow
    async def main():
        waits = [litewf.recv_async("a"), litewf.recv_async("b")]
        return await litewf.wait_first_async(waits, timeout=10, default="nobody")

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.asleep(handle)
        stage.clock.move(10)
        assert handle.get_result() == "nobody"
        engine.send("w", 1, topic="a")
        assert rows(engine, "message") == 1
        assert [(step.step_id, step.name, step.output) for step in engine.list_steps("w")] == [
            ("1", "litewf.recv", None),
            ("2", "litewf.recv", None),
            ("3", "litewf.wait_first", None),
        ]


def test_a_message_wakes_only_those_who_wait_for_it(stage: Stage, registry):
    @registry.workflow
    def reader(topic):
        return litewf.recv(topic)

    with stage.engine() as engine:
        handles = [start(engine, reader, f"{topic}-{n}", topic) for topic in "ab" for n in range(3)]
        for handle in handles:
            stage.parked(handle)
        updated = {handle.workflow_id: handle.get_status().updated_at for handle in handles}
        stage.clock.move(1)
        engine.send("a-1", "x", topic="a")
        engine.send("a-2", "x", topic="b")
        assert handles[1].get_result() == "x"
        others = [handle for handle in handles if handle.workflow_id != "a-1"]
        assert all(handle.get_status().waiting_on for handle in others)
        assert all(handle.get_status().updated_at == updated[handle.workflow_id] for handle in others)


# --- many senders -------------------------------------------------------------------------------------------------


def test_messages_of_each_sender_keep_their_order_among_many(stage: Stage, reader):
    """E1, E3: threads of two engines and a client send at once."""
    each = 25
    with (
        stage.engine() as engine,
        stage.engine(registry=litewf.Registry()) as other,
        litewf.Client(stage.path) as client,
    ):
        handle = start(engine, reader, "r", 4 * each)
        sources = [engine, engine, other, client]

        def send_all(name):
            for n in range(each):
                sources[name].send("r", (name, n))

        threads = [threading.Thread(target=send_all, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        got = handle.get_result(timeout=PATIENCE_S)
        for thread in threads:
            thread.join()
    for name in range(4):
        assert [n for who, n in got if who == name] == list(range(each))


def test_parallel_sends_of_one_workflow_all_arrive(stage: Stage, registry, reader):
    """E6: each branch is recorded under its own number, in whatever order they commit."""

    @registry.workflow
    async def sender():
        await asyncio.gather(*(litewf.send_async("r", n) for n in range(20)))
        await litewf.sleep_async(10)

    with stage.engine() as engine:
        handle = start(engine, reader, "r", 20)
        sending = engine.start_workflow(sender)
        stage.asleep(sending)
        stage.clock.move(10)
        sending.get_result()
        assert sorted(handle.get_result()) == list(range(20))
        assert rows(engine, "message") == 20
