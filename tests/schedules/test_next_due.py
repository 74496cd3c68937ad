"""When a file needs an engine next, and an engine that waits until there is nothing left to do."""

import threading

import pytest

import litewf
from tests.schedules.scene import HOUR, MINUTE, at


@pytest.fixture
def nap(scene):
    @scene.registry.workflow(name="nap")
    def nap(seconds):
        litewf.sleep(seconds)

    return nap


def test_a_file_in_which_nothing_is_to_come_needs_nobody(scene, nap):
    with scene.engine() as engine:
        assert engine.next_due() is None
        engine.run_workflow(nap, 0)
        scene.rest(engine)
        assert engine.next_due() is None
    with litewf.Client(scene.path, clock=scene.clock) as client:
        assert client.next_due() is None


def test_the_earliest_of_timers_delays_deadlines_and_ticks_counts(scene, nap, report):
    with scene.engine() as engine:
        engine.create_schedule("s", report, "0 18 * * *")
        scene.rest(engine)
        assert engine.next_due() == at("2030-01-01 18:00")
        engine.start_workflow(nap, 5 * HOUR)
        scene.rest(engine)
        assert engine.next_due() == at("2030-01-01 17:00")
        engine.enqueue("q", nap.with_options(delay=4 * HOUR), 0)
        scene.rest(engine)
        assert engine.next_due() == at("2030-01-01 16:00")
        engine.start_workflow(nap.with_options(timeout=3 * HOUR), 9 * HOUR)
        scene.rest(engine)
        assert engine.next_due() == at("2030-01-01 15:00")
    with litewf.Client(scene.path, clock=scene.clock) as client:
        assert client.next_due() == at("2030-01-01 15:00")


def test_it_is_now_when_something_runs_is_ready_or_may_be_started(scene, nap):
    gate = threading.Event()

    @scene.registry.workflow(name="gated")
    def gated():
        gate.wait()

    with litewf.Client(_created(scene), registry=scene.registry, clock=scene.clock) as client:
        client.start_workflow(nap, 0)
        assert client.next_due() == scene.clock.now
    with scene.engine() as engine:
        scene.rest(engine)
        assert engine.next_due() is None
        handle = engine.start_workflow(gated)
        assert engine.next_due() == scene.clock.now
        gate.set()
        handle.get_result()
    with litewf.Client(scene.path, registry=scene.registry, clock=scene.clock) as client:
        client.enqueue("q", nap, 0)
        assert client.next_due() == scene.clock.now
        client.pause_queue("q")
        assert client.next_due() is None, "a paused queue needs nobody"


def test_what_is_overdue_is_due_now(scene, nap):
    with scene.engine() as engine:
        engine.start_workflow(nap, HOUR)
        scene.rest(engine)
    scene.clock.move(2 * HOUR)
    with litewf.Client(scene.path, clock=scene.clock) as client:
        assert client.next_due() == scene.clock.now


def test_a_queue_that_is_full_or_out_of_starts_is_due_when_that_changes(scene, nap):
    litewf.Queue("narrow", global_concurrency=1, registry=scene.registry)
    litewf.Queue("rare", rate_limit=litewf.RateLimit(1, HOUR), registry=scene.registry)
    with scene.engine() as engine:
        for _ in range(2):
            engine.enqueue("narrow", nap, 2 * HOUR)
        scene.rest(engine)
        assert engine.next_due() == at("2030-01-01 14:00")
        for _ in range(2):
            engine.enqueue("rare", nap, 0)
        scene.rest(engine)
        assert engine.next_due() == at("2030-01-01 13:00")


def test_an_engine_counts_only_what_it_does_itself(scene, nap, report):
    with litewf.Client(_created(scene), clock=scene.clock) as client:
        client.create_schedule("theirs", "elsewhere", "0 13 * * *")
        client.enqueue("theirs", "nap", 0)
        assert client.next_due() == scene.clock.now
    with scene.engine(queues=["mine"]) as engine:
        scene.rest(engine)
        assert engine.next_due() is None


def test_what_other_programs_run_is_their_concern(scene, nap):
    other = litewf.Registry()
    gate = threading.Event()

    @other.workflow(name="theirs")
    def theirs():
        gate.wait()

    with scene.engine(registry=other) as neighbour, scene.engine() as engine:
        handle = neighbour.start_workflow(theirs)
        engine.enqueue("shared", "theirs")
        scene.rest(engine)
        assert neighbour.next_due() == scene.clock.now
        assert engine.next_due() is None
        gate.set()
        handle.get_result()


def test_waiting_for_rest_lets_chains_of_work_end_and_waits_be(scene):
    @scene.registry.workflow(name="child")
    def child(n):
        return n

    @scene.registry.workflow(name="parent")
    def parent():
        total = sum(child(n) for n in range(5))
        litewf.recv("go")
        return total

    with scene.engine() as engine:
        handle = engine.start_workflow(parent)
        scene.rest(engine)
        assert [wait.what for wait in handle.get_status().waiting_on] == ["a message on topic 'go'"]
        engine.send(handle.workflow_id, None, topic="go")
        scene.rest(engine)
        assert handle.get_status().output == 10


def test_waiting_for_rest_gives_up_in_time_and_at_the_end(scene):
    gate = threading.Event()

    @scene.registry.workflow(name="gated")
    def gated():
        gate.wait()

    with scene.engine() as engine:
        handle = engine.start_workflow(gated.with_options(workflow_id="g"))
        with pytest.raises(litewf.WaitTimeoutError, match="'g'"):
            engine.wait_until_idle(0.01)
        seen = []

        def wait():
            try:
                engine.wait_until_idle()
            except litewf.EngineClosedError as closed:
                seen.append(closed)

        waiter = threading.Thread(target=wait)
        waiter.start()
        gate.set()
        handle.get_result()
        waiter.join(20)
        assert seen == []
    with pytest.raises(litewf.EngineClosedError):
        engine.wait_until_idle()


def test_a_hundred_idle_schedules_cost_nothing(scene, report):
    """Nothing is committed or polled for them until one is due."""
    with scene.engine() as engine:
        for number in range(100):
            engine.create_schedule(f"s{number}", report, f"{number % 60} 3 {1 + number % 28} * *")
        scene.rest(engine)
        before = scene.commits
        scene.pass_time(engine, 2 * HOUR, step=30 * MINUTE)
        assert scene.commits == before
        assert engine.next_due() == min(info.next_at for info in engine.list_schedules())


def test_hundreds_of_schedules_that_are_due_at_once_run_once_each(scene, report):
    with scene.engine() as engine:
        for number in range(300):
            engine.create_schedule(f"s{number}", report, "0 13 * * *")
        scene.rest(engine)
        before = engine.query("SELECT count(*) FROM workflow")[0][0]
        scene.jump(engine, HOUR)
        assert engine.query("SELECT count(*) FROM workflow")[0][0] - before == 300
    assert len(scene.notes) == 300


def _created(scene):
    with scene.engine():
        return scene.path
