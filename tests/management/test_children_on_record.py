"""What a file says of children: those that were deleted, debounced or started twice, and what a rewind does to them."""

from contextlib import closing

import apsw
import pytest

import litewf
from litewf.engine import retention
from litewf.store.invariants import ALWAYS, TALKING
from tests.stage import Stage


def broken(engine: litewf.Engine) -> list[str]:
    """What `litewf doctor` would call a bug of litewf."""
    return [name for name, query in (ALWAYS | TALKING).items() if engine.query(query)]


def children(engine: litewf.Engine, workflow_id: str) -> list[str | None]:
    return [step.child_workflow_id for step in engine.list_steps(workflow_id) if "start" in step.name]


@pytest.fixture
def quick(registry):
    @registry.workflow(name="quick")
    def quick(value=1):
        return value

    return quick


@pytest.fixture
def parent(registry, quick):
    """Starts a child and waits for a message before it asks for the result."""

    @registry.workflow(name="parent")
    def parent():
        handle = litewf.start_workflow(quick, 7)
        litewf.recv("go")
        return handle.get_result()

    return parent


@pytest.fixture
def attaching(registry, quick):
    """Starts two children under one id."""

    @registry.workflow(name="attaching")
    def attaching():
        same = quick.with_options(workflow_id="same")
        return [litewf.start_workflow(same, number).get_result() for number in (1, 2)]

    return attaching


def test_a_child_may_be_pruned_when_its_parent_has_ended_whatever_its_grandparent_does(stage: Stage, registry, quick):
    @registry.workflow
    def middle():
        return quick()

    @registry.workflow
    def top():
        middle()
        litewf.recv("go")
        return "done"

    with stage.engine() as engine:
        handle = engine.start_workflow(top.with_options(workflow_id="top"))
        stage.until(lambda: any(wait.step_id == "3" for wait in handle.get_status().waiting_on))
        stage.clock.move(1)
        assert engine.prune(older_than=0) == 1
        assert broken(engine) == []
        engine.send("top", None, topic="go")
        assert handle.get_result() == "done"
        assert broken(engine) == []


def test_a_parent_whose_child_was_deleted_is_told_so_and_nothing_is_broken(stage: Stage, parent):
    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        stage.parked(handle)
        engine.retrieve_workflow("p~1").get_result()
        assert children(engine, "p") == ["p~1"]
        engine.delete_workflow("p~1")
        assert broken(engine) == []
        assert children(engine, "p") == [None]
        engine.send("p", None, topic="go")
        with pytest.raises(litewf.WorkflowNotFoundError):
            handle.get_result()
        assert broken(engine) == []


@pytest.mark.parametrize("how", ["resume_workflow", "rewind_workflow"])
def test_a_parent_that_goes_on_after_its_child_was_pruned_breaks_nothing(stage: Stage, parent, how):
    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        stage.parked(handle)
        engine.retrieve_workflow("p~1").get_result()
        stage.clock.move(100)
        handle.cancel()
        assert engine.prune(older_than=50) == 1
        assert broken(engine) == []
        getattr(engine, how)("p")
        stage.parked(handle)
        assert broken(engine) == []


def test_a_fork_that_is_resumed_keeps_the_names_of_the_children_that_it_was_given(stage: Stage, parent):
    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        stage.parked(handle)
        engine.retrieve_workflow("p~1").get_result()
        fork = engine.fork_workflow("p", 2, workflow_id="f")
        stage.parked(fork)
        fork.cancel()
        engine.resume_workflow("f")
        assert children(engine, "f") == ["p~1"]
        stage.parked(fork)
        assert broken(engine) == []


def test_a_child_with_a_long_history_goes_in_parts_without_breaking_anything(
    stage: Stage, registry, monkeypatch: pytest.MonkeyPatch
):
    @registry.workflow
    def long():
        for _ in range(20):
            litewf.random()
        return quick_too()

    @registry.workflow
    def quick_too():
        return 1

    @registry.workflow
    def top():
        return long()

    found = []
    shorten = retention.pruning.shorten

    def shorten_a_part(tx, key, rows):
        left = shorten(tx, key, rows)
        found.extend(name for name, query in ALWAYS.items() if list(tx.connection.execute(query)))
        return left

    monkeypatch.setattr(retention, "ROWS", 5)
    monkeypatch.setattr(retention.pruning, "shorten", shorten_a_part)
    with stage.engine() as engine:
        assert engine.run_workflow(top) == 1
        stage.clock.move(100)
    with stage.engine(retention=1.0) as engine:
        stage.until(lambda: engine.list_workflows() == [])
    assert found == []


def test_a_start_without_its_child_is_still_found(stage: Stage, parent):
    with stage.engine() as engine:
        stage.parked(engine.start_workflow(parent.with_options(workflow_id="p")))
        engine.retrieve_workflow("p~1").get_result()
    with closing(apsw.Connection(str(stage.path))) as connection:
        connection.execute("PRAGMA foreign_keys = ON; DELETE FROM workflow WHERE id = 'p~1'")
    with stage.engine() as engine:
        assert broken(engine) == ["D2 a recorded start without its child"]


def test_a_child_that_was_debounced_is_on_record(stage: Stage, registry, quick):
    @registry.workflow
    def debouncing():
        handles = [engine.debounce(quick, "key", 10, number) for number in range(3)]
        return [handle.get_result() for handle in handles]

    with stage.engine() as engine:
        handle = engine.start_workflow(debouncing.with_options(workflow_id="p"))
        stage.parked(handle)
        assert broken(engine) == []
        stage.clock.move(11)
        assert handle.get_result() == [2, 2, 2]
        assert [step.child_workflow_id for step in engine.list_steps("p")][:3] == ["p~1", None, None]
        assert broken(engine) == []


def test_only_the_start_that_made_the_child_names_it(stage: Stage, attaching):
    with stage.engine() as engine:
        assert engine.run_workflow(attaching.with_options(workflow_id="p")) == [1, 1]
        assert children(engine, "p") == ["same", None]
        assert broken(engine) == []


def test_a_rewind_leaves_the_child_alone_that_an_earlier_step_started(stage: Stage, registry):
    """A step that only attached to it did not start it."""

    @registry.workflow
    def sleeper():
        litewf.sleep(1000)

    @registry.workflow
    def twice():
        for _ in range(2):
            litewf.start_workflow(sleeper.with_options(workflow_id="same"))

    with stage.engine() as engine:
        engine.run_workflow(twice.with_options(workflow_id="p"))
        engine.rewind_workflow("p", 2).get_result()
        assert engine.retrieve_workflow("same").get_status().status == "PENDING"
        engine.rewind_workflow("p", 1).get_result()
        assert engine.retrieve_workflow("same").get_status().status == "CANCELLED"


def test_a_rewind_leaves_detached_children_alone_as_a_cancel_does(stage: Stage, registry):
    """Under an id of its own it is found again by the step that started it."""

    @registry.workflow
    def child():
        litewf.sleep(1000)

    @registry.workflow
    def parent():
        litewf.start_workflow(child)
        litewf.start_workflow(child.with_options(detached=True))
        litewf.start_workflow(child.with_options(detached=True, workflow_id="named"))

    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        handle.get_result()
        engine.rewind_workflow("p", 1).get_result()
        statuses = {one.workflow_id: one.status for one in engine.list_workflows(name=child.name)}
    assert statuses.pop("p~1") == "CANCELLED"
    assert statuses == dict.fromkeys(["p~2", "named", "p~1@2", "p~2@2"], "PENDING")


def test_an_id_that_is_free_again_may_be_started_again(stage: Stage, attaching):
    with stage.engine() as engine:
        for workflow_id in ("p1", "p2"):
            engine.run_workflow(attaching.with_options(workflow_id=workflow_id))
            engine.delete_workflow("same")
        engine.run_workflow(attaching.with_options(workflow_id="p3"))
        stage.clock.move(100)
        engine.run_workflow(attaching.with_options(workflow_id="p4"))
        assert engine.prune(older_than=50) == 4
        engine.run_workflow(attaching.with_options(workflow_id="p5"))
        assert broken(engine) == []


def test_children_that_one_call_started_are_on_record_whatever_their_ids(stage: Stage, registry, quick):
    ids = ['a "quote"', "a \\ backslash", "é"]

    @registry.workflow
    def many():
        return [
            handle.get_result()
            for handle in litewf.start_workflows([(quick.with_options(workflow_id=one), one) for one in ids])
        ]

    with stage.engine() as engine:
        assert engine.run_workflow(many) == ids
        assert broken(engine) == []
