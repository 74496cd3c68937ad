"""Publishing CloudEvents and waiting for them, as users call it."""

import asyncio
import threading

import pytest

import litewf
from tests.communication.acting import start
from tests.ownership.children import Child
from tests.stage import Stage

# --- publishing ---------------------------------------------------------------------------------------------------


def test_an_event_is_accepted_once_by_source_and_id_e9(stage: Stage, waiter):
    """Named after Edda and Romancy, which deliver it again: also with other data, and after it was taken."""
    with stage.engine() as engine:
        handle = start(engine, waiter, "w", 2)
        assert engine.publish_event("t", 1, source="s", id="1") is True
        stage.until(lambda: engine.list_steps("w") and engine.list_steps("w")[0].completed_at)
        assert engine.publish_event("t", 2, source="s", id="1") is False
        assert engine.publish_event("other type", 2, source="s", id="1") is False
        assert engine.publish_event("t", 3, source="other", id="1") is True
        assert handle.get_result(timeout=20) == [1, 3]
        assert engine.publish_event("t", 3) and engine.publish_event("t", 3)  # an id of its own each time


def test_the_same_event_from_many_threads_and_two_engines_is_accepted_once_e9(stage: Stage):
    accepted = []
    with stage.engine() as engine, stage.engine(registry=litewf.Registry()) as other:
        barrier = threading.Barrier(8)

        def publish(which):
            barrier.wait(20)
            for n in range(10):
                accepted.append((n, which.publish_event("t", n, source="s", id=str(n))))

        threads = [threading.Thread(target=publish, args=(one,)) for one in (engine, other) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(n for n, new in accepted if new) == list(range(10))


def test_the_same_event_from_two_processes_is_accepted_once_e9(path):
    """By the system's clock, as both have to agree on how long an id is kept."""
    code = """
with litewf.Client(path) as client:
    say("ready"); hear()
    say(sum(client.publish_event("t", n, source="s", id=str(n)) for n in range(50)))
"""
    with litewf.Engine(path, registry=litewf.Registry()) as engine:
        children = [Child(code, path) for _ in range(2)]
        try:
            for child in children:
                assert child.hear() == "ready"
            for child in children:
                child.say()
            own = sum(engine.publish_event("t", n, source="s", id=str(n)) for n in range(50))
            assert own + sum(int(child.hear()) for child in children) == 50
        finally:
            for child in children:
                child.close()


@pytest.mark.parametrize("flavor", ["sync", "async"])
def test_a_publish_in_a_workflow_happens_once_however_often_it_is_replayed(stage: Stage, registry, flavor):
    """Named after Edda and Romancy, which publish again at each replay."""

    @registry.workflow(name="publisher")
    def sync_publisher():
        outcomes = []
        for n in range(3):
            outcomes.append(litewf.publish_event("t", n))
            litewf.sleep(1)
        return outcomes

    @registry.workflow(name="async publisher")
    async def async_publisher():
        outcomes = []
        for n in range(3):
            outcomes.append(await litewf.publish_event_async("t", n))
            await litewf.sleep_async(1)
        return outcomes

    with stage.engine() as engine:
        handle = start(engine, sync_publisher if flavor == "sync" else async_publisher, "p")
        for _ in range(3):
            stage.asleep(handle)
            stage.clock.move(1)
        assert handle.get_result(timeout=20) == [True] * 3
        assert engine.query("SELECT source, id, data FROM cloud_event ORDER BY key") == [
            ("litewf", "p:1", "0"), ("litewf", "p:3", "1"), ("litewf", "p:5", "2"),
        ]  # fmt: skip


def test_the_default_id_differs_per_generation_and_per_rewind(stage: Stage, registry):
    @registry.workflow
    def publisher(left=1):
        assert litewf.publish_event("t", left)
        if left:
            litewf.continue_as_new(left - 1)

    with stage.engine() as engine:
        start(engine, publisher, "p").get_result()
        engine.rewind_workflow("p", 1).get_result()
        assert engine.query("SELECT id, data FROM cloud_event ORDER BY key") == [
            ("p:1", "1"), ("p~@2:1", "0"), ("p~@3:1", "0"),
        ]  # fmt: skip


def test_a_refused_publish_leaves_nothing_and_takes_no_number(stage: Stage, registry):
    @registry.workflow
    def publisher():
        with pytest.raises(litewf.SerializationError):
            litewf.publish_event("t", {"a": object()})
        with pytest.raises(ValueError, match="type"):
            litewf.publish_event("", 1)
        return litewf.publish_event("t", 2)

    with stage.engine() as engine:
        assert start(engine, publisher, "p").get_result() is True
        assert [step.step_id for step in engine.list_steps("p")] == ["1"]
        assert engine.query("SELECT id, data FROM cloud_event") == [("p:1", "2")]


def test_a_step_publishes_through_the_engine_and_not_through_the_module(stage: Stage, registry, waiter):
    with stage.engine() as engine:

        @registry.step
        def step():
            with pytest.raises(litewf.UsageError, match="publish_event|engine"):
                litewf.publish_event("t", 1)
            with pytest.raises(litewf.UsageError, match="wait_event"):
                litewf.wait_event("t")
            return engine.publish_event("t", 2)

        @registry.workflow
        def publisher():
            return step()

        handle = start(engine, waiter, "w")
        assert start(engine, publisher, "p").get_result() is True
        assert handle.get_result(timeout=20) == [2]


# --- waiting ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("linger", [0, None])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same engine", "other engine"])
def test_a_wait_ends_when_the_event_comes_e5(stage: Stage, any_waiter, linger, elsewhere):
    with stage.engine(linger=linger) as engine, stage.engine(registry=litewf.Registry()) as other:
        handle = start(engine, any_waiter, "w", 3)
        for n in range(3):
            if linger == 0:
                stage.parked(handle)
            (other if elsewhere else engine).publish_event("t", n)
            stage.until(lambda n=n: len(engine.list_steps("w")) > n or handle.get_status().completed_at)
        assert handle.get_result(timeout=20) == [0, 1, 2]


def test_a_wait_ends_when_another_process_publishes(registry, waiter, path):
    """By the system's clock, as both have to agree on what came since."""
    code = "with litewf.Client(path) as client: say(client.publish_event('t', {'n': 1}))"
    with (
        litewf.Engine(path, registry=registry, linger=0) as engine,
        litewf.Engine(path, registry=registry, linger=None) as other,
    ):
        handles = [start(one, waiter, f"w{n}") for n, one in enumerate((engine, other))]
        child = Child(code, path)
        try:
            assert child.hear() == "True"
            assert [handle.get_result(timeout=20) for handle in handles] == [[{"n": 1}]] * 2
        finally:
            child.close()


def test_an_event_between_the_look_and_the_park_is_not_lost_e5(stage: Stage, any_waiter):
    """Named after Edda and Romancy, whose check and registration are two transactions."""
    looked = []

    def publish_once(operation):
        if type(operation).__name__ == "Park" and not looked:
            looked.append(True)
            assert engine.publish_event("t", "just in time")

    with stage.engine() as engine:
        writer = engine._live.store.writer  # private: nothing public can come in between
        commit, submit = writer.commit, writer.submit

        def commit_late(operation, **options):
            publish_once(operation)
            return commit(operation, **options)

        def submit_late(operation):
            if type(operation).__name__ == "Park" and not looked:
                thread = threading.Thread(target=publish_once, args=(operation,))
                thread.start()
                thread.join()
            return submit(operation)

        writer.commit, writer.submit = commit_late, submit_late
        handle = start(engine, any_waiter, "w")
        assert handle.get_result(timeout=20) == ["just in time"]
        assert looked


def test_each_wait_takes_the_oldest_event_that_no_earlier_wait_took(stage: Stage, any_waiter):
    with stage.engine() as engine:
        handle = start(engine, any_waiter, "w", 3)
        stage.parked(handle)
        with stage.engine(registry=litewf.Registry()) as other:
            for n in range(4):
                other.publish_event("t", n)
        assert handle.get_result(timeout=20) == [0, 1, 2]


def test_several_waits_of_one_workflow_take_one_event_each(stage: Stage, registry):
    """Branches that wait for the same at once; also when some of them want it alone."""

    @registry.workflow
    async def main(deliveries):
        events = await asyncio.gather(*(litewf.wait_event_async("t", delivery=one) for one in deliveries))
        return sorted(event.data for event in events)

    with stage.engine() as engine:
        for name, deliveries in {"a": ["all"] * 3, "b": ["one"] * 3, "c": ["all", "one", "one"]}.items():
            handle = start(engine, main, name, deliveries)
            stage.parked(handle)
            for n in range(3):
                engine.publish_event("t", n)
            assert handle.get_result(timeout=20) == [0, 1, 2]
            stage.clock.move(1)


def test_two_branches_that_look_at_once_never_keep_an_event_from_others_for_nothing(stage: Stage, registry, waiter):
    """One branch takes the event for all, the other finds it taken: it must not win it as well."""

    @registry.workflow
    async def main():
        both = await asyncio.gather(
            *(litewf.wait_event_async("t", delivery=one, timeout=5, default=None) for one in ("all", "one"))
        )
        return [event and event.data for event in both]

    for _ in range(5):
        with stage.engine() as engine:
            engine.publish_event("t", "x")
            handle = start(engine, main, litewf_id := f"w{stage.commits}")
            stage.until(lambda: any(step.completed_at for step in engine.list_steps(litewf_id)))  # noqa: B023
            stage.parked(handle)
            stage.clock.move(5)
            assert sorted(handle.get_result(timeout=20), key=str) == [None, "x"]
            lost = engine.query(
                "SELECT winner FROM cloud_event WHERE winner IS NOT NULL AND NOT EXISTS"
                " (SELECT 1 FROM taking JOIN step USING (workflow, step)"
                "  WHERE event = cloud_event.key AND workflow = winner AND step.output IS NOT NULL)"
            )
            assert lost == []
