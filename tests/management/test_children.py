"""Children: one per call of the parent (D1, D2), whose outcome the parent sees exactly (D3)."""

import asyncio
import threading
from datetime import timedelta

import pytest

import litewf
from tests.stage import Stage


@pytest.fixture
def leaf(registry):
    @registry.workflow(name="leaf")
    def leaf(value):
        return value * 10

    return leaf


def steps(engine, workflow_id):
    return [(step.step_id, step.name, step.child_workflow_id) for step in engine.list_steps(workflow_id)]


def test_calling_a_workflow_runs_a_child_and_returns_its_result(engine, registry, leaf):
    @registry.workflow
    def parent():
        return leaf(1) + leaf(2)

    assert engine.run_workflow(parent.with_options(workflow_id="p")) == 30
    assert steps(engine, "p") == [
        ("1", "litewf.start:leaf", "p~1"),
        ("2", "litewf.get_result", None),
        ("3", "litewf.start:leaf", "p~3"),
        ("4", "litewf.get_result", None),
    ]
    assert engine.retrieve_workflow("p~3").get_status().parent_id == "p"


def test_the_engines_own_methods_start_children_inside_its_workflows(engine, registry, leaf):
    @registry.workflow
    def parent():
        handle = engine.start_workflow(leaf, 1)
        several = engine.start_workflows([(leaf, 2), (leaf, 3)])
        return [handle.get_result(), engine.run_workflow(leaf, 4), *(one.get_result() for one in several)]

    assert engine.run_workflow(parent.with_options(workflow_id="p")) == [10, 40, 20, 30]
    children = engine.list_workflows(parent_id="p")
    assert [child.workflow_id for child in children] == ["p~1", "p~2.1", "p~2.2", "p~4"]


def test_async_children_of_a_gather_get_their_own_results(path, registry):
    @registry.workflow
    async def leaf(value):
        await litewf.sleep_async(0.001 * (5 - value))
        return value

    @registry.workflow
    async def parent():
        return await asyncio.gather(*(leaf(value) for value in range(5)))

    async def main():
        async with litewf.Engine(path, registry=registry, linger=0) as engine:
            assert await engine.run_workflow_async(parent) == [0, 1, 2, 3, 4]

    asyncio.run(main())


def test_a_child_called_before_another_but_awaited_after_it_keeps_its_result_on_replay(path, registry):
    """Both numbers of a child are taken when it is called, not when its start has committed."""
    log = []

    @registry.workflow
    async def leaf(value):
        return value

    @registry.workflow
    async def parent():
        early = leaf("early")
        late = await leaf("late")
        results = (await early, late)
        await litewf.sleep_async(0.001)
        log.append(results)
        return results

    with litewf.Engine(path, registry=registry, linger=0) as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        assert handle.get_result() == ("early", "late")
        names = [(step.step_id, step.child_workflow_id) for step in engine.list_steps("p")]
    assert names[:4] == [("1", "p~1"), ("2", None), ("3", "p~3"), ("4", None)]
    assert log == [("early", "late")]


def test_the_child_and_the_parents_record_of_it_are_one_commit(stage: Stage, registry, leaf):
    """D2: the child exists if and only if its start is recorded, whatever commit is the last one."""
    seen = []

    @registry.workflow
    def parent():
        return leaf(1)

    with stage.engine() as engine:
        original = stage._reached

        def look(point):
            original(point)
            if point == "commit.after":
                row = engine.query(
                    "SELECT (SELECT count(*) FROM workflow WHERE parent IS NOT NULL),"
                    " (SELECT count(*) FROM step WHERE child IS NOT NULL)"
                )
                seen.append(row[0])

        engine._world.reach = look
        engine.run_workflow(parent)
    assert (1, 1) in seen
    assert set(seen) <= {(0, 0), (1, 1)}


def test_a_replay_starts_no_second_child(stage: Stage, registry, leaf):
    """D1: however often the parent is replayed."""

    @registry.workflow
    def parent():
        return [(leaf(value), litewf.sleep(10))[0] for value in range(4)]

    with stage.engine() as engine:
        handle = engine.start_workflow(parent)
        for _ in range(4):
            stage.asleep(handle)
            stage.clock.move(10)
        assert handle.get_result() == [0, 10, 20, 30]
        assert len(engine.list_workflows(name="leaf")) == 4


def test_children_of_later_generations_have_the_generation_in_their_id(engine, registry, leaf):
    @registry.workflow
    def parent(generation):
        leaf(generation)
        litewf.start_workflows([(leaf, generation)])
        if generation < 3:
            litewf.continue_as_new(generation + 1)

    engine.run_workflow(parent.with_options(workflow_id="p"), 1)
    children = [child.workflow_id for child in engine.list_workflows(parent_id="p")]
    assert children == ["p~1", "p~3.1", "p~1@2", "p~3.1@2", "p~1@3", "p~3.1@3"]


def test_a_child_with_an_id_of_its_own_keeps_it(engine, registry, leaf):
    @registry.workflow
    def parent():
        return leaf.with_options(workflow_id="mine")(1)

    assert engine.run_workflow(parent) == 10
    assert engine.retrieve_workflow("mine").get_result() == 10


def test_a_child_attaches_to_a_workflow_that_is_there(engine, registry, leaf):
    engine.run_workflow(leaf.with_options(workflow_id="known"), 5)

    @registry.workflow
    def parent():
        return leaf.with_options(workflow_id="known")(1)

    assert engine.run_workflow(parent) == 50
    assert engine.retrieve_workflow("known").get_status().parent_id is None


def test_refused_children_are_errors_that_replay_the_same(stage: Stage, registry, leaf):
    @registry.workflow(name="other")
    def other(value):
        return value

    seen = []

    @registry.workflow
    def parent():
        for wrong in (other.with_options(workflow_id="k"), leaf.with_options(workflow_id="k", on_existing_id="reject")):
            try:
                litewf.start_workflow(wrong, 1)
            except (litewf.WorkflowConflictError, litewf.DuplicateWorkflowError) as error:
                seen.append(type(error).__name__)
        try:
            fresh = leaf.with_options(workflow_id="fresh", on_existing_id="reject")
            litewf.start_workflows([(fresh, 1), (fresh, 2)])  # refused after the first was written
        except litewf.DuplicateWorkflowError as error:
            seen.append(type(error).__name__)
        litewf.sleep(10)
        return "ended"

    with stage.engine() as engine:
        engine.run_workflow(leaf.with_options(workflow_id="k"), 1)
        handle = engine.start_workflow(parent)
        stage.parked(handle)
        engine.delete_workflow("k")
        stage.clock.move(10)
        assert handle.get_result() == "ended"
        assert [child.workflow_id for child in engine.list_workflows(name="leaf")] == []
    assert seen == ["WorkflowConflictError", "DuplicateWorkflowError", "DuplicateWorkflowError"] * 2


def test_children_outlive_a_finished_parent(stage: Stage, registry):
    @registry.workflow
    def slow():
        litewf.sleep(100)
        return "late"

    @registry.workflow
    def parent():
        return litewf.start_workflow(slow)

    with stage.engine() as engine:
        child = engine.retrieve_workflow(engine.run_workflow(parent).workflow_id)
        stage.parked(child)
        stage.clock.move(100)
        assert child.get_result() == "late"


class OrderError(Exception):
    def __init__(self, sku, amount):
        super().__init__(sku, amount)
        self.sku = sku


def test_a_parent_sees_the_error_of_its_child_as_its_own_type(engine, registry):
    @registry.workflow
    def fails():
        raise OrderError("tea", 3)

    @registry.workflow
    def parent():
        try:
            fails()
        except OrderError as error:
            return error.sku, error.args

    assert engine.run_workflow(parent) == ("tea", ("tea", 3))


@pytest.mark.parametrize("value", ["timed out", None, "", 0, False, "null", [], {"a": 1}])
def test_a_parent_sees_the_result_of_its_child_on_replay_too(stage: Stage, registry, value):
    """Also a result that looks like a mark of the engine itself."""
    seen = []

    @registry.workflow
    def child():
        return value

    @registry.workflow
    def parent():
        seen.append(litewf.start_workflow(child).get_result(timeout=100))
        seen.extend(litewf.wait_all([litewf.start_workflow(child)]))
        litewf.sleep(10)

    with stage.engine() as engine:
        handle = engine.start_workflow(parent)
        stage.until(lambda: any(wait.what == "a time" for wait in handle.get_status().waiting_on))
        stage.clock.move(10)
        handle.get_result()
    assert seen == [value] * len(seen)
    assert len(seen) >= 4


def test_a_parent_sees_that_its_child_was_cancelled(stage: Stage, registry):
    @registry.workflow
    def slow():
        litewf.sleep(100)

    @registry.workflow
    def parent():
        try:
            slow()
        except litewf.WorkflowCancelledError as error:
            return str(error)

    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        stage.parked(handle)
        engine.cancel_workflow("p~1")
        assert "p~1" in handle.get_result()


def test_a_parent_goes_on_waiting_for_a_held_child(stage: Stage, registry):
    without = litewf.Registry()

    @registry.workflow(name="child")
    def child():
        litewf.sleep(1000)
        return "ended"

    def parent():
        return litewf.retrieve_workflow("c").get_result()

    registry.workflow(name="parent")(parent)
    lonely = without.workflow(name="parent")(parent)

    with stage.engine() as engine:
        stage.parked(engine.start_workflow(child.with_options(workflow_id="c")))
    stage.clock.move(1000)
    with stage.engine(registry=without) as engine:
        stage.until(lambda: engine.retrieve_workflow("c").get_status().held)
        handle = engine.start_workflow(lonely.with_options(workflow_id="p"))
        stage.parked(handle)
        assert handle.get_status().waiting_on[0].what == "the end of workflow c"
        with pytest.raises(litewf.WorkflowHeldError):  # outside, waiting has no use
            engine.retrieve_workflow("c").get_result()
    with stage.engine() as engine:
        assert engine.retrieve_workflow("p").get_result() == "ended"


def test_the_user_and_the_roles_are_inherited_and_the_attributes_are_not(engine, registry):
    @registry.workflow
    def child():
        return litewf.authenticated_user(), litewf.authenticated_roles()

    @registry.workflow
    def parent():
        return child(), child.with_options(authenticated_user="bob", authenticated_roles=[])()

    started = parent.with_options(
        workflow_id="p", authenticated_user="ann", authenticated_roles=["admin", "clerk"], attributes={"shop": "eu"}
    )
    assert engine.run_workflow(started) == (("ann", ("admin", "clerk")), ("bob", ()))
    mine, inherited = engine.retrieve_workflow("p").get_status(), engine.retrieve_workflow("p~1").get_status()
    assert (mine.authenticated_user, mine.authenticated_roles, mine.attributes) == (
        "ann",
        ("admin", "clerk"),
        {"shop": "eu"},
    )
    assert (inherited.authenticated_user, inherited.authenticated_roles) == ("ann", ("admin", "clerk"))
    assert inherited.attributes == {}


@pytest.fixture
def deadlines(registry):
    """A parent that reports the deadlines of its children, in seconds from its start."""

    @registry.workflow
    def child():
        return litewf.now()

    @registry.workflow
    def parent(options):
        handles = [litewf.start_workflow(child.with_options(**one)) for one in options]
        return [handle.workflow_id for handle in handles]

    return parent


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ({}, 100),
        ({"timeout": 40}, 40),
        ({"timeout": 400}, 100),
        ({"timeout": timedelta(minutes=1)}, 60),
        ({"detached": True}, None),
        ({"detached": True, "timeout": 400}, 400),
    ],
    ids=str,
)
def test_a_child_inherits_the_deadline_and_can_only_shorten_it(stage: Stage, deadlines, options, seconds):
    """C3: inherited as documented."""
    with stage.engine() as engine:
        start = stage.clock.now
        [child] = engine.run_workflow(deadlines.with_options(timeout=100), [options])
        found = engine.retrieve_workflow(child).get_status().deadline
    assert found == (None if seconds is None else start + timedelta(seconds=seconds))


def test_a_child_that_is_started_by_several_at_once_is_one(engine, registry):
    """D1, B10: children with the same given id, from many parents."""
    ran = []

    @registry.step
    def work():
        ran.append(threading.get_ident())

    @registry.workflow
    def shared():
        work()
        return "shared"

    @registry.workflow
    def parent(number):
        return shared.with_options(workflow_id="one")()

    handles = engine.start_workflows([(parent, number) for number in range(20)])
    assert {handle.get_result() for handle in handles} == {"shared"}
    assert len(ran) == 1


def test_calling_a_workflow_outside_a_workflow_names_what_to_use(leaf):
    with pytest.raises(litewf.NotInWorkflowError, match=r"engine\.run_workflow"):
        leaf(1)
    assert leaf.fn(1) == 10
