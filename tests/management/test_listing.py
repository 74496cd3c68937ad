"""Listing workflows, with every filter, and the steps of one."""

import asyncio
import contextlib
from datetime import timedelta

import pytest

import litewf
from tests.stage import NOON, Stage


@pytest.fixture
def shop(stage: Stage, registry):
    """Six workflows, a minute apart, one of each kind; no filter below matches all or none of them."""

    @registry.workflow(name="order")
    def order(value):
        return value

    @registry.workflow(name="fail")
    def fail(value):
        raise ValueError(value)

    @registry.workflow(name="sleeper")
    def sleeper(value):
        litewf.sleep(10_000)

    @registry.workflow(name="parent")
    def parent(value):
        return order.with_options(workflow_id="child-1")(value)

    with stage.engine(executor_id="till") as engine:

        def run(workflow, value, **options):
            handle = engine.start_workflow(workflow.with_options(**options), value)
            if workflow is sleeper:
                stage.parked(handle)
            else:
                handle.as_future().exception(10)
            stage.clock.move(60)

        run(order, 1, workflow_id="order-1", authenticated_user="ann", attributes={"shop": "eu", "vip": True, "n": 1})
        run(fail, 2, workflow_id="fail-2", application_version="old", attributes={"shop": "us", 'a."b': "odd"})
        run(sleeper, 3, workflow_id="sleep-3", authenticated_user="bob")
        run(parent, 4, workflow_id="parent-4", attributes={"shop": "eu", "vip": False})
        engine.fork_workflow("order-1", workflow_id="order-5").get_result()
        stage.clock.move(60)
        stage.start = engine.retrieve_workflow("order-1").get_status().created_at
        yield engine


ALL = ["order-1", "fail-2", "sleep-3", "parent-4", "child-1", "order-5"]
MATCHES = [
    ({"workflow_ids": ["order-1", "sleep-3", "nobody"]}, ["order-1", "sleep-3"]),
    ({"workflow_ids": []}, []),
    ({"workflow_id_prefix": "order-"}, ["order-1", "order-5"]),
    ({"workflow_id_prefix": "%"}, []),
    ({"workflow_id_prefix": "ORDER"}, []),
    ({"status": "SUCCESS"}, ["order-1", "parent-4", "child-1", "order-5"]),
    ({"status": ["ERROR", "PENDING"]}, ["fail-2", "sleep-3"]),
    ({"status": "CANCELLED"}, []),
    ({"held": True}, []),
    ({"held": False}, ALL),
    ({"name": "order"}, ["order-1", "child-1", "order-5"]),
    ({"name": ["fail", "parent"]}, ["fail-2", "parent-4"]),
    ({"user": "ann"}, ["order-1", "order-5"]),
    ({"application_version": "old"}, ["fail-2"]),
    ({"attributes": {"shop": "eu"}}, ["order-1", "parent-4", "order-5"]),
    ({"attributes": {"shop": "eu", "vip": True}}, ["order-1", "order-5"]),
    ({"attributes": {"vip": False}}, ["parent-4"]),
    ({"attributes": {"n": 1}}, ["order-1", "order-5"]),
    ({"attributes": {'a."b': "odd"}}, ["fail-2"]),
    ({"attributes": {"shop": "asia"}}, []),
    ({"parent_id": "parent-4"}, ["child-1"]),
    ({"forked_from": "order-1"}, ["order-5"]),
    ({"limit": 2}, ["order-1", "fail-2"]),
    ({"limit": 0}, []),
    ({"offset": 4}, ["child-1", "order-5"]),
    ({"limit": 2, "offset": 1}, ["fail-2", "sleep-3"]),
    ({"sort_desc": True, "limit": 2}, ["order-5", "child-1"]),
    ({"name": "order", "user": "ann", "attributes": {"vip": True}, "sort_desc": True}, ["order-5", "order-1"]),
    ({"name": "order", "status": "ERROR"}, []),
    ({}, ALL),
]


@pytest.mark.parametrize(("filters", "expected"), MATCHES, ids=ascii)
def test_a_filter_finds_what_matches_and_nothing_else(shop, filters, expected):
    assert [found.workflow_id for found in shop.list_workflows(**filters)] == expected
    assert [found.workflow_id for found in shop.list_workflows(litewf.WorkflowFilter(**filters))] == expected


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"start_time": 60}, ["fail-2", "sleep-3", "parent-4", "child-1", "order-5"]),
        ({"start_time": 61}, ["sleep-3", "parent-4", "child-1", "order-5"]),
        ({"end_time": 60}, ["order-1"]),
        ({"end_time": 61}, ["order-1", "fail-2"]),
        ({"start_time": 60, "end_time": 180}, ["fail-2", "sleep-3"]),
        ({"completed_after": 180}, ["parent-4", "child-1", "order-5"]),
        ({"completed_before": 180}, ["order-1", "fail-2"]),
        ({"completed_after": 60, "completed_before": 61}, ["fail-2"]),
    ],
    ids=str,
)
def test_times_are_compared_with_creation_and_completion(stage: Stage, shop, filters, expected):
    moments = {name: stage.start + timedelta(seconds=seconds) for name, seconds in filters.items()}
    assert [found.workflow_id for found in shop.list_workflows(**moments)] == expected


def test_the_executor_filter_finds_what_runs_there_now(stage: Stage, registry):
    @registry.workflow
    def lingering():
        litewf.sleep(1000)

    with stage.engine(executor_id="one", linger=None) as one, stage.engine(executor_id="two", linger=None) as two:
        handles = {"one": one.start_workflow(lingering), "two": two.start_workflow(lingering)}
        for label, handle in handles.items():
            assert [found.workflow_id for found in one.list_workflows(executor_id=label)] == [handle.workflow_id]
        assert one.list_workflows(executor_id="three") == []


def test_the_held_filter_finds_what_is_held(stage: Stage, shop):
    shop.shutdown()
    stage.clock.move(10_000)
    with stage.engine(registry=litewf.Registry()) as engine:
        stage.until(lambda: engine.list_workflows(held=True))
        assert [found.workflow_id for found in engine.list_workflows(held=True)] == ["sleep-3"]
        assert "sleep-3" not in [found.workflow_id for found in engine.list_workflows(held=False)]
        assert "no workflow named 'sleeper'" in engine.list_workflows(held=True)[0].held


def test_values_are_loaded_unless_they_are_not_wanted(shop):
    [full] = shop.list_workflows(workflow_ids=["order-1"])
    assert (full.input, full.output) == (litewf.WorkflowInput((1,), {}), 1)
    [bare] = shop.list_workflows(workflow_ids=["order-1"], load_input=False, load_output=False)
    assert (bare.input, bare.output) == (None, None)
    [failed] = shop.list_workflows(workflow_ids=["fail-2"])
    assert isinstance(failed.error, ValueError)
    assert failed.error.args == (2,)


def test_a_listing_shows_what_each_status_shows(shop):
    for found in shop.list_workflows():
        alone = shop.retrieve_workflow(found.workflow_id).get_status()
        assert str(found) == str(alone)
    assert [wait.what for wait in shop.list_workflows(workflow_ids=["sleep-3"])[0].waiting_on] == ["a time"]


@pytest.mark.parametrize(
    ("filters", "error"),
    [
        ({"status": "DONE"}, ValueError),
        ({"status": ["SUCCESS", "DONE"]}, ValueError),
        ({"workflow_ids": "order-1"}, TypeError),
        ({"name": 7}, TypeError),
        ({"user": 7}, TypeError),
        ({"workflow_id_prefix": 7}, TypeError),
        ({"held": "yes"}, TypeError),
        ({"limit": -1}, ValueError),
        ({"limit": True}, ValueError),
        ({"offset": -1}, ValueError),
        ({"offset": None}, ValueError),
        ({"start_time": "2030-01-01"}, TypeError),
        ({"start_time": NOON.replace(tzinfo=None)}, ValueError),
        ({"attributes": {"a": [1]}}, TypeError),
        ({"attributes": "shop"}, TypeError),
        ({"colour": "red"}, TypeError),
    ],
    ids=ascii,
)
def test_a_filter_that_means_nothing_is_refused(engine, filters, error):
    with pytest.raises(error):
        engine.list_workflows(**filters)


def test_a_filter_object_and_keywords_together_are_refused(engine):
    with pytest.raises(TypeError, match="WorkflowFilter"):
        engine.list_workflows(litewf.WorkflowFilter(limit=1), status="SUCCESS")


def test_a_long_list_of_ids_is_no_problem(shop):
    wanted = [f"nobody-{number}" for number in range(40_000)] + ["order-1"]
    assert [found.workflow_id for found in shop.list_workflows(workflow_ids=wanted)] == ["order-1"]


def test_what_this_program_cannot_decode_is_shown_and_never_fails(path):
    class Basket:
        def __litewf_encode__(self):
            return "b"

        @classmethod
        def __litewf_decode__(cls, value):
            return cls()

    class BasketError(Exception):
        pass

    code = litewf.Registry()
    code.type(Basket, name="basket")

    @code.workflow(name="w")
    def w(basket):
        return basket

    with litewf.Engine(path, registry=code) as engine:
        engine.run_workflow(w.with_options(workflow_id="w"), Basket())
    with litewf.Engine(path, registry=litewf.Registry()) as engine:
        [found] = engine.list_workflows()
        assert isinstance(found.output, litewf.Opaque)
        assert found.output.type == "basket"


def test_steps_are_listed_in_the_order_of_their_numbers(stage: Stage, registry):
    @registry.step(max_retries=3, base_interval=10)
    def flaky():
        if litewf.attempt() == 1:
            raise ConnectionError("down")
        return "up"

    @registry.step
    async def fails(number):
        raise ValueError(number)

    @registry.workflow
    async def child():
        return 1

    @registry.workflow
    async def workflow():
        async def branch():
            for number in range(11):
                with contextlib.suppress(ValueError):
                    await fails(number)

        for _ in range(9):
            litewf.now()
        await asyncio.create_task(branch())
        await child()
        return await litewf.run_step_async(flaky)

    with stage.engine() as engine:
        handle = engine.start_workflow(workflow.with_options(workflow_id="w"))
        stage.until(lambda: any("attempt" in wait.what for wait in handle.get_status().waiting_on))
        waiting = engine.list_steps("w")[-1]
        assert (waiting.attempts, waiting.output, waiting.error, waiting.completed_at) == (1, None, None, None)
        started = stage.clock.now
        stage.clock.move(10)
        handle.get_result()
        steps = engine.list_steps("w")
    ids = [step.step_id for step in steps]
    assert ids == [*map(str, range(1, 10)), *(f"10.{n}" for n in range(1, 12)), "11", "12", "13"]
    assert [step.error.args for step in steps if step.error] == [(number,) for number in range(11)]
    assert steps[-3].child_workflow_id == "w~11"
    last = steps[-1]
    assert (last.output, last.attempts, last.error) == ("up", 2, None)
    assert (last.started_at, last.completed_at) == (started, started + timedelta(seconds=10))
