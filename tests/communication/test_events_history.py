"""Events when a workflow is rewound, forked, continued, cancelled or deleted."""

import pytest

import litewf
from tests.communication.acting import rows, start
from tests.stage import Stage


@pytest.fixture
def counting(registry):
    """Shows 1, 2 and 3 under one key, and each under its own."""

    @registry.workflow
    def counting():
        for n in (1, 2, 3):
            litewf.set_event("last", n)
            litewf.set_event(str(n), n)
        litewf.recv(timeout=0, default=None)

    return counting


@pytest.mark.parametrize(("start_step", "events"), [(1, {}), (3, {"last": 1, "1": 1}), (4, {"last": 2, "1": 1})])
def test_a_fork_has_the_events_of_the_steps_that_it_has(stage: Stage, counting, start_step, events):
    with stage.engine() as engine:
        start(engine, counting, "w").get_result()
    with stage.engine(registry=litewf.Registry()) as other:  # it does not run the fork
        other.fork_workflow("w", start_step, workflow_id="f")
        assert other.get_all_events("f") == events
        assert other.get_all_events("w") == {"last": 3, "1": 1, "2": 2, "3": 3}
    with stage.engine() as engine:  # of another version, so it tries what that one may hold
        engine.retrieve_workflow("f").get_result()
        assert engine.get_all_events("f") == engine.get_all_events("w")


@pytest.mark.parametrize(("start_step", "events"), [(1, {}), (3, {"last": 1, "1": 1}), (4, {"last": 2, "1": 1})])
def test_a_rewind_shows_the_values_of_the_steps_that_are_left(stage: Stage, counting, start_step, events):
    with stage.engine() as engine:
        start(engine, counting, "w").get_result()
    with stage.engine(registry=litewf.Registry()) as other:
        other.rewind_workflow("w", start_step)
        assert other.get_all_events("w") == events
    with stage.engine() as engine:  # of another version, so it tries what that one may hold
        engine.retrieve_workflow("w").get_result()
        assert engine.get_all_events("w") == {"last": 3, "1": 1, "2": 2, "3": 3}


def test_what_a_step_showed_goes_with_its_step(stage: Stage, registry):
    @registry.step
    def body(n):
        litewf.set_event("k", n)

    @registry.workflow
    def main():
        body(1)
        body(2)

    with stage.engine() as engine:
        start(engine, main, "w").get_result()
        engine.fork_workflow("w", 3, workflow_id="all").get_result()
        assert engine.get_event("all", "k") == 2
    with stage.engine(registry=litewf.Registry()) as other:
        other.fork_workflow("w", 2, workflow_id="first")
        assert other.get_event("first", "k") == 1


def test_continue_as_new_keeps_the_events(stage: Stage, registry):
    @registry.workflow
    def main(n=1):
        litewf.set_event(f"in {n}", n)
        litewf.set_event("last", n)
        if n < 3:
            litewf.continue_as_new(n + 1)
        return litewf.get_all_events(litewf.workflow_id())

    with stage.engine() as engine:
        assert start(engine, main, "w").get_result() == {"in 1": 1, "last": 3, "in 2": 2, "in 3": 3}
        assert rows(engine, "event") == 5  # the last value of the generation that is over, and this one's
        fork = engine.fork_workflow("w", 1)
        fork.get_result()
        assert engine.get_all_events(fork.workflow_id)["in 1"] == 1


def test_a_rewind_does_not_undo_earlier_generations(stage: Stage, registry):
    @registry.workflow
    def main(n=1):
        if n < 3:
            litewf.set_event("k", n)
            litewf.continue_as_new(n + 1)
        litewf.recv(timeout=0, default=None)

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        handle.get_result()
        engine.rewind_workflow("w", 1)
        handle.get_result()
        assert engine.get_event("w", "k") == 2


def test_a_wait_goes_on_through_a_new_generation(stage: Stage, registry):
    @registry.workflow
    def main(n=1):
        litewf.recv()
        if n < 3:
            litewf.continue_as_new(n + 1)
        litewf.set_event("k", n)

    @registry.workflow
    def watcher():
        return litewf.get_event("w", "k")

    with stage.engine() as engine:
        start(engine, main, "w")
        handle = engine.start_workflow(watcher)
        stage.parked(handle)
        for _ in range(3):
            engine.send("w", None)
        assert handle.get_result() == 3


def test_a_cancelled_workflow_keeps_its_events(stage: Stage, registry):
    @registry.workflow
    def main():
        litewf.set_event("k", 1)
        litewf.recv()

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        assert engine.get_event("w", "k") == 1
        handle.cancel()
        assert engine.get_event("w", "k") == 1
        assert engine.get_event("w", "other", default="nothing") == "nothing"


@pytest.mark.parametrize("how", ["delete", "prune"])
def test_events_go_with_their_workflow(stage: Stage, counting, how):
    with stage.engine() as engine:
        start(engine, counting, "w").get_result()
        assert rows(engine, "event") == 6
        if how == "delete":
            engine.delete_workflow("w")
        else:
            stage.clock.move(100)
            engine.prune(older_than=50)
        assert rows(engine, "event") == 0
        with pytest.raises(litewf.WorkflowNotFoundError):
            engine.get_event("w", "last")


def test_a_parked_watcher_of_a_workflow_that_is_deleted_hears_of_it(stage: Stage, registry):
    """B9: the one who waits was woken by the end, but came to look only when all was gone."""

    @registry.workflow
    def main():
        litewf.recv()

    @registry.workflow
    def watcher():
        try:
            return litewf.get_event("w", "k", default="nothing")
        except litewf.WorkflowNotFoundError:
            return "gone"

    with stage.engine() as engine:
        start(engine, main, "w")
        stage.parked(engine.start_workflow(watcher.with_options(workflow_id="r")))
    with stage.engine(registry=litewf.Registry()) as other:
        other.cancel_workflow("w")
        other.delete_workflow("w")
    with stage.engine() as engine:  # of another version, so it tries what that one may hold
        assert engine.retrieve_workflow("r").get_result() == "gone"
