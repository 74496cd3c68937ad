"""How long recv waits: an absolute time, fixed at the first call, whatever happens to the process or the clock."""

import pytest

import litewf
from tests.communication.acting import start, start_parked
from tests.stage import NOON, Stage


@pytest.fixture(params=["sync", "async"])
def waiter(request, registry):
    """Waits 60 s for one message; when, and what came."""

    @registry.workflow(name="waiter")
    def waiter(**options):
        got = litewf.recv(timeout=60, **options)
        return got, litewf.now()

    @registry.workflow(name="async waiter")
    async def async_waiter(**options):
        got = await litewf.recv_async(timeout=60, **options)
        return got, litewf.now()

    return waiter if request.param == "sync" else async_waiter


def seconds(moment):
    return (moment - NOON).total_seconds()


@pytest.mark.parametrize("linger", [0, None])
def test_recv_times_out_at_its_time(stage: Stage, waiter, linger):
    """E4, C3."""
    with stage.engine(linger=linger) as engine:
        handle = engine.start_workflow(waiter.with_options(workflow_id="w"), default="nothing")
        stage.until(lambda: engine.list_steps("w"))
        stage.clock.move(59)
        assert handle.get_status().status == "PENDING"
        stage.clock.move(1)
        got, moment = handle.get_result()
    assert (got, seconds(moment)) == ("nothing", 60)


def test_without_a_default_it_raises_and_says_what_did_not_come(stage: Stage, registry):
    @registry.workflow
    def main():
        texts = []
        for topic in (None, "money"):
            try:
                litewf.recv(topic, timeout=0)
            except litewf.WaitTimeoutError as error:
                assert isinstance(error, TimeoutError)
                texts.append(str(error))
        return texts

    with stage.engine() as engine:
        plain, topical = start(engine, main, "w").get_result()
    assert plain.startswith("no message without a topic came for workflow 'w'")
    assert topical.startswith("no message on topic 'money' came for workflow 'w'")


def test_a_restart_does_not_lengthen_the_wait(stage: Stage, waiter):
    """C3: DBOS hides the deadline in a second step; here it is in the step's own promise."""
    with stage.engine() as engine:
        start_parked(stage, engine, waiter, "w")
        assert len(engine.list_steps("w")) == 1
    stage.clock.move(40)
    with stage.engine() as engine:
        handle = engine.retrieve_workflow("w")
        stage.parked(handle)
        assert seconds(handle.get_status().waiting_on[0].until) == 60
        stage.clock.move(20)
        with pytest.raises(litewf.WaitTimeoutError):
            handle.get_result()


def test_a_message_that_came_before_the_deadline_counts_although_nobody_was_there(stage: Stage, waiter, registry):
    """E4."""
    with stage.engine() as engine:
        start_parked(stage, engine, waiter, "w")
    with stage.engine(registry=litewf.Registry()) as other:  # it has no code of the workflow
        stage.clock.move(30)
        other.send("w", "in time")
    stage.clock.move(1000)
    with stage.engine() as engine:  # of another version, so it tries what that one may hold
        got, moment = engine.retrieve_workflow("w").get_result()
    assert (got, seconds(moment)) == ("in time", 1030)


@pytest.mark.parametrize("step_s", [-3600, 30])
def test_a_clock_that_is_set_does_not_move_the_deadline(stage: Stage, waiter, step_s):
    """C3, H4."""
    with stage.engine() as engine:
        handle = engine.start_workflow(waiter.with_options(workflow_id="w"), default="nothing")
        stage.parked(handle)
        stage.clock.move(step_s)
        assert seconds(handle.get_status().waiting_on[0].until) == 60
        engine.shutdown()
    with stage.engine() as engine:
        handle = engine.retrieve_workflow("w")
        stage.clock.move(60 - step_s - 1)
        stage.asleep(handle)
        stage.clock.move(1)
        got, moment = handle.get_result()
    assert (got, seconds(moment)) == ("nothing", 60)


def test_a_timeout_of_zero_looks_once(stage: Stage, registry):
    @registry.workflow
    def main():
        first = litewf.recv(timeout=0, default="nothing")
        litewf.send(litewf.workflow_id(), "there")
        return first, litewf.recv(timeout=0, default="nothing"), litewf.recv(timeout=0, default="nothing")

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        assert handle.get_result() == ("nothing", "there", "nothing")
        assert engine.query("SELECT count(*) FROM step WHERE due_us IS NOT NULL") == [(0,)]


def test_the_record_says_timed_out_and_never_the_default(stage: Stage, registry):
    defaults = iter(["first run", "second run"])

    @registry.workflow
    def main():
        default = next(defaults)
        got = litewf.recv(timeout=0, default=default)
        litewf.sleep(10)
        return got

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.asleep(handle)
        assert engine.list_steps("w")[0].output is None
        assert engine.query("SELECT output FROM step WHERE step = '1'") == [(None,)]
        stage.clock.move(10)
        assert handle.get_result() == "second run"


def test_a_default_may_be_anything_since_it_is_not_recorded(stage: Stage, registry):
    @registry.workflow
    def main():
        lock = object()
        return litewf.recv(timeout=0, default=lock) is lock

    with stage.engine() as engine:
        assert engine.run_workflow(main) is True


def test_what_timed_out_replays_so_although_the_message_has_come_meanwhile(stage: Stage, registry):
    @registry.workflow
    def main():
        first = litewf.recv(timeout=5, default="nothing")
        litewf.sleep(10)
        return first, litewf.recv(timeout=0)

    with stage.engine() as engine:
        handle = start_parked(stage, engine, main, "w")
        stage.clock.move(5)
        stage.until(lambda: len(engine.list_steps("w")) == 2)
        stage.asleep(handle)
        engine.send("w", "late")
        stage.clock.move(10)
        assert handle.get_result() == ("nothing", "late")


def test_a_message_for_another_topic_does_not_move_the_deadline(stage: Stage, waiter):
    with stage.engine() as engine:
        handle = engine.start_workflow(waiter.with_options(workflow_id="w"), default="nothing")
        stage.parked(handle)
        stage.clock.move(30)
        engine.send("w", 1, topic="other")
        assert seconds(handle.get_status().waiting_on[0].until) == 60
        stage.clock.move(30)
        got, moment = handle.get_result()
    assert (got, seconds(moment)) == ("nothing", 60)


def test_the_deadline_of_a_workflow_ends_its_recv(stage: Stage, registry):
    """C3: the workflow's own deadline is no timeout of recv, and no `except` sees it."""

    @registry.workflow
    def main():
        try:
            litewf.recv(timeout=1000)
        except Exception:
            return "swallowed"

    with stage.engine() as engine:
        handle = engine.start_workflow(main.with_options(workflow_id="w", timeout=10))
        stage.parked(handle)
        stage.clock.move(10)
        with pytest.raises(litewf.WorkflowTimeoutError):
            handle.get_result()
        assert handle.get_status().waiting_on == ()
        engine.send("w", "kept")
        assert engine.query("SELECT taken_by FROM message") == [(None,)]
