"""E8: delivery="all" gives each workflow each event once, in order; delivery="one" has one winner."""

import pytest

import litewf
from tests.communication.acting import start
from tests.ownership.children import Child
from tests.stage import Stage


@pytest.fixture
def taker(registry):
    @registry.workflow(name="taker")
    def taker(count, delivery, where=None):
        return [litewf.wait_event("t", delivery=delivery, where=where).data for _ in range(count)]

    return taker


@pytest.fixture
def async_taker(registry):
    @registry.workflow(name="async taker")
    async def taker(count, delivery, where=None):
        return [(await litewf.wait_event_async("t", delivery=delivery, where=where)).data for _ in range(count)]

    return taker


@pytest.fixture(params=["sync", "async"])
def any_taker(request, taker, async_taker):
    return taker if request.param == "sync" else async_taker


@pytest.mark.parametrize("linger", [0, None])
def test_all_get_each_event_once_in_order(stage: Stage, any_taker, linger):
    with stage.engine(linger=linger) as engine, stage.engine(linger=linger) as other:
        handles = [start((engine, other)[n % 2], any_taker, f"w{n}", 10, "all") for n in range(10)]
        for n in range(10):
            (engine, other)[n % 2].publish_event("t", n)
        for handle in handles:
            assert handle.get_result(timeout=20) == list(range(10))


@pytest.mark.parametrize("linger", [0, None])
def test_one_of_many_gets_each_event(stage: Stage, any_taker, linger):
    """In two engines at once: nothing is taken twice, nothing is left."""
    with stage.engine(linger=linger) as engine, stage.engine(linger=linger) as other:
        handles = [start((engine, other)[n % 2], any_taker, f"w{n}", 3, "one") for n in range(8)]
        for n in range(24):
            (engine, other)[n % 2].publish_event("t", n)
        taken = [handle.get_result(timeout=20) for handle in handles]
        assert sorted(n for own in taken for n in own) == list(range(24))
        assert all(own == sorted(own) for own in taken)


def test_takers_in_several_processes_share_the_events(registry, taker, path):
    """By the system's clock. One of the processes is killed; who had won keeps what was recorded, others go on."""
    code = """
registry = litewf.Registry()
@registry.workflow(name="taker")
def taker(count, delivery, where=None):
    return [litewf.wait_event("t", delivery=delivery, where=where).data for _ in range(count)]
with litewf.Engine(path, registry=registry, linger=0) as engine:
    for n in range(4):
        engine.start_workflow(taker.with_options(workflow_id=f"child {n}"), 3, "one")
    say("started")
    hear()
"""
    with litewf.Engine(path, registry=registry, linger=0) as engine:
        child = Child(code, path)
        try:
            assert child.hear() == "started"
            for n in range(4):
                start(engine, taker, f"own {n}", 3, "one")
            for n in range(12):
                engine.publish_event("t", n)
            child.kill()
            for n in range(12, 24):
                engine.publish_event("t", n)
            names = [f"{who} {n}" for who in ("own", "child") for n in range(4)]
            taken = [engine.retrieve_workflow(name).get_result(timeout=20) for name in names]
            assert sorted(n for own in taken for n in own) == list(range(24))
        finally:
            child.close()


def test_the_two_kinds_do_not_disturb_each_other(stage: Stage, taker):
    """An event that somebody won is still there for all who do not want it alone."""
    with stage.engine() as engine:
        alone = start(engine, taker, "alone", 1, "one")
        shared = start(engine, taker, "shared", 1, "all")
        engine.publish_event("t", 1)
        assert alone.get_result(timeout=20) == shared.get_result(timeout=20) == [1]
        second = start(engine, taker, "second", 1, "one")
        third = start(engine, taker, "third", 1, "all")
        assert third.get_result(timeout=20) == [1]
        stage.parked(second)
        engine.publish_event("t", 2)
        assert second.get_result(timeout=20) == [2]


def test_who_lost_the_race_goes_on_waiting_until_the_same_deadline(stage: Stage, registry):
    """C3."""

    @registry.workflow
    def main():
        return litewf.wait_event("t", delivery="one", timeout=10, default="nothing").data

    @registry.workflow
    def patient():
        event = litewf.wait_event("t", delivery="one", timeout=10, default=None)
        return event and event.data

    with stage.engine() as engine:
        handles = [start(engine, patient, f"w{n}") for n in range(5)]
        for handle in handles:
            stage.asleep(handle)
        stage.clock.move(6)
        engine.publish_event("t", "prize")
        stage.until(lambda: any(handle.get_status().status == "SUCCESS" for handle in handles))
        for handle in handles:
            if handle.get_status().status != "SUCCESS":
                stage.until(lambda handle=handle: handle.get_status().waiting_on)
        stage.clock.move(4)
        assert sorted((handle.get_result(timeout=20) for handle in handles), key=str) == [*[None] * 4, "prize"]


@pytest.mark.parametrize("linger", [0, None])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["same engine", "other engine"])
def test_a_rewound_winner_gives_its_event_back_to_one_that_waits(stage: Stage, registry, linger, elsewhere):
    """B9: the other waited when the event was taken already, and has looked beyond it."""
    others = litewf.Registry()

    @registry.workflow
    def winner():
        if turns:
            return "gave up"
        turns.append(1)
        return litewf.wait_event("t", delivery="one", where={"n": 1}).data

    @(others if elsewhere else registry).workflow
    def loser():
        return litewf.wait_event("t", delivery="one", where={"n": 1}).data

    turns = []
    with stage.engine() as engine, stage.engine(registry=others, linger=linger) as other:
        engine.publish_event("t", {"n": 1})
        assert start(engine, winner, "winner").get_result(timeout=20) == {"n": 1}
        handle = start(other if elsewhere else engine, loser, "loser")
        if linger == 0 or not elsewhere:
            stage.parked(handle)
        engine.publish_event("t", {"n": 2})
        engine.publish_event("unrelated", 1)
        turns.append(1)
        assert engine.rewind_workflow("winner", 1).get_result(timeout=20) == "gave up"
        assert handle.get_result(timeout=20) == {"n": 1}


def test_a_rewound_waiter_takes_its_events_again_in_order(stage: Stage, taker):
    with stage.engine() as engine:
        for n in range(3):
            engine.publish_event("t", n)
        assert start(engine, taker, "w", 3, "all").get_result(timeout=20) == [0, 1, 2]
        assert engine.rewind_workflow("w", 2).get_result(timeout=20) == [0, 1, 2]


def test_a_fork_does_not_take_again_what_the_copied_steps_took(stage: Stage, registry):
    since = []

    @registry.workflow
    def main():
        return [litewf.wait_event("t", since=since[0]).data for _ in range(2)]

    with stage.engine() as engine:
        since.append(stage.clock.now)
        for n in range(3):
            engine.publish_event("t", n)
        assert start(engine, main, "w").get_result(timeout=20) == [0, 1]
        assert engine.fork_workflow("w", 2).get_result(timeout=20) == [0, 1]
        assert engine.fork_workflow("w", 1).get_result(timeout=20) == [0, 1]


def test_each_generation_goes_on_where_the_one_before_stopped(stage: Stage, registry):
    @registry.workflow
    def main(seen):
        seen = [*seen, litewf.wait_event("t").data]
        return seen if len(seen) == 4 else litewf.continue_as_new(seen)

    with stage.engine() as engine:
        handle = start(engine, main, "w", [])
        stage.parked(handle)
        for n in range(4):
            engine.publish_event("t", n)
        assert handle.get_result(timeout=20) == [0, 1, 2, 3]
