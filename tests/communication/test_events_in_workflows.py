"""set_event and get_event inside workflows: made once, recorded as read, waited for without holding anything."""

import dataclasses

import pytest

import litewf
from tests.communication.acting import rows, start, start_parked
from tests.stage import NOON, PATIENCE_S, Stage


@dataclasses.dataclass
class Progress:
    done: int
    of: int = 10


@pytest.fixture
def shower(registry):
    """Sets an event to each message that it receives, until None comes."""

    @registry.workflow
    def shower(key="k"):
        while (value := litewf.recv()) is not None:
            litewf.set_event(key, value)
        return "done"

    return shower


@pytest.fixture(params=["sync", "async"])
def watcher(request, registry):
    """Gets an event; when, and its value."""

    @registry.workflow(name="watcher")
    def watcher(workflow_id, key, **options):
        return litewf.get_event(workflow_id, key, **options), litewf.now()

    @registry.workflow(name="async watcher")
    async def async_watcher(workflow_id, key, **options):
        return await litewf.get_event_async(workflow_id, key, **options), litewf.now()

    return watcher if request.param == "sync" else async_watcher


def shown(stage, engine, workflow_id, value, key="k"):
    stage.until(lambda: engine.get_all_events(workflow_id).get(key) == value)


def test_a_set_event_is_made_once_however_often_it_is_replayed(stage: Stage, registry):
    @registry.workflow
    async def main():
        await litewf.set_event_async("k", 1)
        await litewf.sleep_async(10)
        await litewf.set_event_async("k", 2)
        await litewf.sleep_async(10)

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        for _ in range(2):
            stage.asleep(handle)
            stage.clock.move(10)
        handle.get_result()
        assert rows(engine, "event") == 2
        assert engine.get_event("w", "k") == 2


def test_what_a_workflow_read_is_recorded(stage: Stage, registry, shower):
    """E7."""
    runs = []

    @registry.workflow
    def main():
        runs.append((litewf.get_event("w", "k"), litewf.get_all_events("w")))
        litewf.sleep(10)
        return runs[-1], litewf.get_event("w", "k")

    with stage.engine() as engine:
        start(engine, shower, "w")
        engine.send("w", 1)
        shown(stage, engine, "w", 1)
        handle = start(engine, main, "reader")
        stage.asleep(handle)
        engine.send("w", 2)
        shown(stage, engine, "w", 2)
        stage.clock.move(10)
        assert handle.get_result() == ((1, {"k": 1}), 2)
    assert runs == [(1, {"k": 1})] * 2


def test_a_get_event_is_one_step(stage: Stage, registry, shower, watcher):
    """DBOS takes two step numbers for each get_event."""
    with stage.engine() as engine:
        start(engine, shower, "w")
        handle = start_parked(stage, engine, watcher, "r", "w", "k")
        engine.send("w", 1)
        assert handle.get_result()[0] == 1
        assert [(step.step_id, step.name, step.output) for step in engine.list_steps("r")][0] == (
            "1",
            "litewf.get_event",
            1,
        )
        assert len(engine.list_steps("r")) == 2


def test_waiting_on_says_for_which_event_and_until_when(stage: Stage, shower, watcher):
    with stage.engine() as engine:
        start_parked(stage, engine, shower, "w")
        handle = engine.start_workflow(watcher, "w", "k", timeout=60)
        stage.parked(handle)
        (wait,) = handle.get_status().waiting_on
        assert (wait.step_id, wait.what) == ("1", "event 'k' of workflow w")
        assert (wait.until - NOON).total_seconds() == 60


def test_the_deadline_of_a_get_event_survives_a_restart(stage: Stage, shower, watcher):
    """C3."""
    with stage.engine() as engine:
        start_parked(stage, engine, shower, "w")
        handle = engine.start_workflow(watcher.with_options(workflow_id="r"), "w", "k", timeout=60, default="nothing")
        stage.parked(handle)
    stage.clock.move(40)
    with stage.engine() as engine:
        handle = engine.retrieve_workflow("r")
        stage.parked(handle)
        stage.clock.move(19)
        assert handle.get_status().status == "PENDING"
        stage.clock.move(1)
        value, moment = handle.get_result()
    assert (value, (moment - NOON).total_seconds()) == ("nothing", 60)


@pytest.mark.parametrize("how", ["returns", "is cancelled"])
def test_the_end_of_the_workflow_wakes_a_parked_watcher(stage: Stage, shower, watcher, how):
    with stage.engine() as engine:
        shown_by = start_parked(stage, engine, shower, "w")
        handle = engine.start_workflow(watcher, "w", "k", default="nothing")
        stage.parked(handle)
        shown_by.cancel() if how == "is cancelled" else engine.send("w", None)
        assert handle.get_result()[0] == "nothing"


@pytest.mark.parametrize("linger", [0, None])
def test_many_watchers_wake_for_one_event(stage: Stage, shower, watcher, linger):
    with stage.engine(linger=linger) as engine:
        start(engine, shower, "w")
        handles = [start(engine, watcher, f"r{n}", "w", "k") for n in range(10)]
        engine.send("w", "x")
        assert [handle.get_result()[0] for handle in handles] == ["x"] * 10


def test_a_watcher_on_another_engine_wakes(stage: Stage, registry, shower):
    """E5, B9, across engines."""
    theirs = litewf.Registry()

    @theirs.workflow
    def elsewhere():
        return [litewf.get_event("w", str(n)) for n in range(20)]

    @registry.workflow
    def setter():
        for n in range(20):
            litewf.set_event(str(n), n)
        litewf.recv()

    for linger in (0, None):
        with stage.engine(linger=linger) as engine, stage.engine(linger=linger, registry=theirs) as other:
            start(engine, setter, "w")
            handle = other.start_workflow(elsewhere)
            assert handle.get_result(timeout=PATIENCE_S) == list(range(20))
            engine.send("w", None)
            engine.retrieve_workflow("w").get_result()
            engine.delete_workflow("w")


def test_a_get_event_may_be_part_of_a_race(stage: Stage, registry, shower):
    @registry.workflow
    async def main():
        events = [litewf.get_event_async("w", key) for key in ("other", "k")]
        first = await litewf.wait_first_async([*events, litewf.sleep_async(100)])
        return events.index(first), await first

    with stage.engine() as engine:
        start(engine, shower, "w")
        handle = start_parked(stage, engine, main, "r")
        engine.send("w", "x")
        assert handle.get_result() == (1, "x")


def test_as_type_gives_the_type_or_a_recorded_refusal(stage: Stage, registry):
    runs = []

    @registry.workflow
    def main():
        litewf.set_event("k", {"done": 3})
        me = litewf.workflow_id()
        got = litewf.get_event(me, "k", as_type=Progress)
        try:
            litewf.get_event(me, "k", as_type=int)
        except litewf.PayloadError as error:
            runs.append((got, str(error)))
        litewf.sleep(10)
        return got

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.asleep(handle)
        stage.clock.move(10)
        assert handle.get_result() == Progress(3)
        assert engine.get_event("w", "k", as_type=Progress) == Progress(3)
        with pytest.raises(litewf.PayloadError, match="what arrived does not fit int"):
            engine.get_event("w", "k", as_type=int)
    assert len(runs) == 2
    assert runs[0] == runs[1]


def test_an_event_of_an_unknown_class_is_opaque_outside_and_holds_a_workflow(stage: Stage, registry):
    class Local:
        pass

    theirs = litewf.Registry()
    theirs.type(Local, name="local")

    @theirs.workflow
    def setter():
        litewf.set_event("k", Local())

    def reads(name, read):
        @registry.workflow(name=name)
        def reader():
            return read()

        return reader

    readers = [
        reads("one", lambda: litewf.get_event("w", "k")),
        reads("all", lambda: litewf.get_all_events("w")),
    ]
    with stage.engine(registry=theirs) as engine:
        start(engine, setter, "w").get_result()
    with stage.engine() as engine:
        for value in (engine.get_event("w", "k"), engine.get_all_events("w")["k"]):
            assert (type(value), value.type) == (litewf.Opaque, "local")
        for reader in readers:
            handle = engine.start_workflow(reader)
            with pytest.raises(litewf.WorkflowHeldError, match="local"):
                handle.get_result()
        registry.type(Local, name="local")
        for status in engine.list_workflows(held=True):
            assert engine.resume_workflow(status.workflow_id).get_result()
