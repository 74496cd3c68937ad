"""set_event and get_event from outside: the latest value, visible once it is durable; what is refused."""

import asyncio
import threading

import pytest

import litewf
from tests.communication.acting import rows, start, start_parked
from tests.stage import PATIENCE_S, Stage


@pytest.fixture
def shower(registry):
    """Sets an event to each message that it receives, until None comes."""

    @registry.workflow
    def shower(key="k"):
        while (value := litewf.recv()) is not None:
            litewf.set_event(key, value)
        return "done"

    return shower


def shown(stage, engine, workflow_id, value, key="k"):
    stage.until(lambda: engine.get_all_events(workflow_id).get(key) == value)


# --- from outside -------------------------------------------------------------------------------------------------


def test_get_event_gives_the_latest_value(stage: Stage, shower):
    """E7."""
    with stage.engine() as engine:
        start(engine, shower, "w")
        for value in (1, 2, 3):
            engine.send("w", value)
        shown(stage, engine, "w", 3)
        assert engine.get_event("w", "k") == 3
        assert engine.get_event("w", "k", timeout=0) == 3


@pytest.mark.parametrize("linger", [0, None])
def test_get_event_waits_until_it_is_set_and_wakes_at_once(stage: Stage, shower, linger):
    """DBOS polls each second; here the clock stands still."""
    with stage.engine(linger=linger) as engine:
        start(engine, shower, "w")
        got = []
        thread = threading.Thread(target=lambda: got.append(engine.get_event("w", "k", timeout=60)))
        thread.start()
        engine.send("w", "hello")
        thread.join(PATIENCE_S)
        assert got == ["hello"]


def test_many_threads_wait_for_one_event(stage: Stage, shower):
    with stage.engine() as engine:
        start(engine, shower, "w")
        got = []
        threads = [threading.Thread(target=lambda: got.append(engine.get_event("w", "k"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        engine.send("w", 1)
        for thread in threads:
            thread.join(PATIENCE_S)
        assert got == [1] * 8


@pytest.mark.parametrize("who", ["engine", "client"])
def test_get_event_wakes_for_what_another_engine_sets(stage: Stage, shower, who):
    """E5, E7: the one who waits has no code of the workflow that sets."""
    other = stage.engine(registry=litewf.Registry()) if who == "engine" else None
    with stage.engine() as engine, other or litewf.Client(stage.path) as other:
        start(engine, shower, "w")
        got = []
        thread = threading.Thread(target=lambda: got.append(other.get_event("w", "k")))
        thread.start()
        engine.send("w", 1)
        thread.join(PATIENCE_S)
        assert got == [1]
        assert other.get_all_events("w") == {"k": 1}


def test_a_finished_workflow_without_the_key_times_out_at_once(stage: Stage, shower):
    with stage.engine() as engine:
        handle = start(engine, shower, "w")
        engine.send("w", None)
        handle.get_result()
        with pytest.raises(litewf.WaitTimeoutError, match="workflow 'w' ended without setting event 'k'"):
            engine.get_event("w", "k")
        assert engine.get_event("w", "k", default="nothing") == "nothing"


@pytest.mark.parametrize("how", ["returns", "is cancelled", "fails"])
def test_the_end_of_the_workflow_ends_the_wait(stage: Stage, registry, how):
    @registry.workflow
    def main():
        if litewf.recv() == "fail":
            raise ValueError

    with stage.engine() as engine:
        handle = start_parked(stage, engine, main, "w")
        got = []
        thread = threading.Thread(target=lambda: got.append(engine.get_event("w", "k", default="nothing")))
        thread.start()
        if how == "is cancelled":
            handle.cancel()
        else:
            engine.send("w", "fail" if how == "fails" else "return")
        thread.join(PATIENCE_S)
        assert got == ["nothing"]


def test_events_outlive_their_workflow(stage: Stage, shower):
    with stage.engine() as engine:
        handle = start(engine, shower, "w")
        engine.send("w", "kept")
        engine.send("w", None)
        handle.get_result()
    with stage.engine() as engine:
        assert engine.get_event("w", "k") == "kept"
        assert engine.get_all_events("w") == {"k": "kept"}


def test_get_event_from_outside_times_out_at_its_time(stage: Stage, shower):
    with stage.engine() as engine:
        start_parked(stage, engine, shower, "w")
        got = []
        thread = threading.Thread(target=lambda: got.append(engine.get_event("w", "k", timeout=60, default=0)))
        thread.start()
        dispatcher = engine._running().dispatcher
        while not (due := dispatcher.next_due_us()) or due == 0:
            threading.Event().wait(0.001)  # until the alarm is set, of which no commit tells
        stage.clock.move(60)
        thread.join(PATIENCE_S)
        assert got == [0]


def test_an_unknown_workflow_raises_at_once(stage: Stage, registry):
    seen = []

    @registry.workflow
    def main():
        for get in (lambda: litewf.get_event("nobody", "k"), lambda: litewf.get_all_events("nobody")):
            try:
                get()
            except litewf.WorkflowNotFoundError as error:
                seen.append(str(error))
        litewf.sleep(10)

    with stage.engine() as engine:
        with pytest.raises(litewf.WorkflowNotFoundError):
            engine.get_event("nobody", "k")
        with pytest.raises(litewf.WorkflowNotFoundError):
            engine.get_all_events("nobody")
        handle = start(engine, main, "w")
        stage.asleep(handle)
        start(engine, main, "nobody")  # it exists by the time of the replay
        stage.clock.move(10)
        handle.get_result()
    assert seen[:2] == seen[-2:]
    assert len(seen) >= 4


def test_get_all_events_gives_every_key_with_its_latest_value(stage: Stage, registry):
    @registry.workflow
    def main():
        for n, key in enumerate(["a", "b", "a", "c"]):
            litewf.set_event(key, n)
        return litewf.get_all_events(litewf.workflow_id())

    with stage.engine() as engine:
        assert start(engine, main, "w").get_result() == {"a": 2, "b": 1, "c": 3}
        assert engine.get_all_events("w") == {"a": 2, "b": 1, "c": 3}


def test_none_as_a_value_is_not_the_same_as_no_value(stage: Stage, registry):
    @registry.workflow
    def main():
        litewf.set_event("k", None)
        return litewf.get_event(litewf.workflow_id(), "k", default="nothing")

    with stage.engine() as engine:
        assert start(engine, main, "w").get_result() is None
        assert engine.get_event("w", "k", default="nothing") is None


def test_events_on_an_event_loop(stage: Stage, shower):
    async def main():
        async with stage.engine() as engine:
            await engine.start_workflow_async(shower.with_options(workflow_id="w"))
            waiting = asyncio.ensure_future(engine.get_event_async("w", "k"))
            await asyncio.sleep(0)  # let it begin to wait
            await engine.send_async("w", 5)
            return await waiting, await engine.get_all_events_async("w")

    assert asyncio.run(main()) == (5, {"k": 5})


# --- refused ------------------------------------------------------------------------------------------------------

BAD_KEYS = ["", " ", "a ", "x" * 300, "a\0b", "a\nb", "\ud800", 7, b"a", None]


@pytest.mark.parametrize("key", BAD_KEYS, ids=lambda key: repr(key)[:12])
def test_a_bad_key_is_refused_before_anything_is_written(stage: Stage, registry, key):
    @registry.workflow
    def main():
        for call in (lambda: litewf.set_event(key, 1), lambda: litewf.get_event("w", key)):
            with pytest.raises((TypeError, ValueError)):
                call()

    with stage.engine() as engine:
        start(engine, main, "w").get_result()
        with pytest.raises((TypeError, ValueError)):
            engine.get_event("w", key)
        assert rows(engine, "step") == rows(engine, "event") == 0


def test_a_value_that_cannot_be_recorded_is_refused_without_a_number(stage: Stage, registry):
    @registry.workflow
    def main():
        with pytest.raises(litewf.SerializationError, match=r"value\[0\]"):
            litewf.set_event("k", [object()])

    with stage.engine() as engine:
        start(engine, main, "w").get_result()
        assert rows(engine, "step") == rows(engine, "event") == 0


@pytest.mark.parametrize("timeout", [-1, float("nan"), "5", True], ids=repr)
def test_a_bad_timeout_is_refused(stage: Stage, registry, timeout):
    @registry.workflow
    def main():
        with pytest.raises((TypeError, ValueError)):
            litewf.get_event("w", "k", timeout=timeout)

    with stage.engine() as engine:
        start(engine, main, "w").get_result()
        with pytest.raises((TypeError, ValueError)):
            engine.get_event("w", "k", timeout=timeout)
        assert rows(engine, "step") == 0


@pytest.mark.parametrize("workflow_id", [None, 7, b"w"], ids=repr)
def test_an_id_that_is_no_text_is_refused(stage: Stage, workflow_id):
    with stage.engine() as engine:
        for call in (lambda: engine.get_event(workflow_id, "k"), lambda: engine.get_all_events(workflow_id)):
            with pytest.raises(TypeError):
                call()
