"""What arrives with a CloudEvent, which events a wait looks back to, and how long it waits."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest

import litewf
from tests.communication.acting import start
from tests.stage import NOON, Stage

# --- what arrives -------------------------------------------------------------------------------------------------


def test_a_received_event_has_every_attribute(stage: Stage, registry):
    """Named after Romancy, which drops the subject and the content type."""
    time = datetime(2030, 1, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=45)))

    @registry.workflow
    def main():
        event = litewf.wait_event("t")
        litewf.sleep(1)
        return event, event.time.utcoffset() if event.time else None

    given = litewf.CloudEvent(
        "t", "/a/b?c", {"x": 1}, "subject/ä", "id-1", time, "application/json; charset=utf-8", "https://x/schema",
        {"traceparent": "00-1", "flag": True, "count": 3},
    )  # fmt: skip
    expected = litewf.ReceivedEvent(
        "t", "/a/b?c", "id-1", time, "subject/ä", "application/json; charset=utf-8", "https://x/schema",
        {"traceparent": "00-1", "flag": True, "count": 3}, {"x": 1},
    )  # fmt: skip
    with stage.engine() as engine:
        assert engine.publish_events([given]) == [True]
        handle = start(engine, main, "w")
        engine.publish_event("t", 1, id="plain")
        second = start(engine, main, "v")
        stage.asleep(handle)
        stage.parked(second)
        stage.clock.move(1)
        assert handle.get_result(timeout=20) == (expected, timedelta(hours=5, minutes=45))
        engine.publish_event("t", 2, id="plain 2")
        plain = litewf.ReceivedEvent("t", "litewf", "plain", None, None, "application/json", None, {}, 1)
        assert second.get_result(timeout=20)[0] in (expected, plain)


@pytest.mark.parametrize(
    "data",
    [None, True, 0, -1.5, "", "text", [], [1, "a", None], {}, {"a": [{}]}, {"$dict": 1}, "0", b"\x00\xff", 2**70],
    ids=repr,
)
def test_data_of_any_kind_arrives_as_it_is(stage: Stage, registry, data):
    """Named after Edda, where a list, a text or a number arrives as an empty dict."""

    @registry.workflow
    def main():
        first = litewf.wait_event("t").data
        return first, litewf.wait_event("t").data

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        engine.publish_event("t", data)
        stage.parked(handle)
        engine.publish_event("t", data)
        found = handle.get_result(timeout=20)
        assert found == (data, data)
        assert [type(one) for one in found] == [type(data)] * 2


# --- since --------------------------------------------------------------------------------------------------------


def test_an_event_before_the_wait_is_not_lost_and_one_before_the_workflow_does_not_count(stage: Stage, registry):
    """Named after Edda and Romancy, where only events after the subscription count."""

    @registry.workflow
    def main(**options):
        litewf.sleep(10)
        return litewf.wait_event("t", timeout=0, default=None, **options)

    with stage.engine() as engine:
        engine.publish_event("t", "before")
        stage.clock.move(1)
        plain = start(engine, main, "plain")
        since = start(engine, main, "since", since=NOON)
        late = start(engine, main, "late", since=NOON + timedelta(seconds=6))
        east = start(engine, main, "east", since=NOON.astimezone(timezone(timedelta(hours=9))))
        for handle in (plain, since, late, east):
            stage.asleep(handle)
        stage.clock.move(3)
        engine.publish_event("t", "early")
        stage.clock.move(3)
        engine.publish_event("t", "later")
        stage.clock.move(4)
        assert [one.get_result(timeout=20).data for one in (plain, since, late, east)] == [
            "early", "before", "later", "before",
        ]  # fmt: skip


def test_an_event_of_the_very_moment_counts(stage: Stage, registry):
    @registry.workflow
    def main():
        return litewf.wait_event("t", since=NOON, timeout=0).data, litewf.wait_event("t", timeout=0, default=None)

    with stage.engine() as engine:
        engine.publish_event("t", 1)
        assert engine.run_workflow(main) == (1, None)


def test_a_clock_that_is_set_back_hides_no_event(stage: Stage, waiter):
    """Times of acceptance never go back, so the look-back window finds what came after the start."""
    with stage.engine() as engine:
        engine.publish_event("t", "long ago")
        stage.clock.move(1)
        handle = start(engine, waiter, "w")
        stage.parked(handle)
        stage.clock.move(-3600)
        engine.publish_event("t", "after a step back")
        assert handle.get_result(timeout=20) == ["after a step back"]


def test_what_comes_while_one_waits_counts_whatever_the_clock_says(stage: Stage, any_waiter):
    """Workflows that start after the step back make the times of acceptance no later than they are."""
    with stage.engine() as engine:
        handle = start(engine, any_waiter, "w")
        alone = start(engine, any_waiter, "alone", delivery="one")
        for one in (handle, alone):
            stage.parked(one)
        stage.clock.move(-3600)
        stage.parked(start(engine, any_waiter, "later", where={"never": 1}))
        engine.publish_event("t", "after a step back")
        assert handle.get_result(timeout=20) == alone.get_result(timeout=20) == ["after a step back"]


def test_old_events_go_in_small_batches_and_their_ids_are_free_again(stage: Stage, registry):
    @registry.workflow
    def main(id_):
        return litewf.wait_event("t", since=NOON - timedelta(days=1), timeout=0, default=None)

    with stage.engine(event_retention=100) as engine:
        for n in range(120):
            engine.publish_event("t", n, source="s", id=str(n))
        stage.clock.move(100)
        engine.publish_event("t", "still inside", source="s", id="x")
        assert engine.query("SELECT count(*) FROM cloud_event") == [(121,)]
        stage.clock.move(0.000_001)
        counts = []
        for n in range(3):
            assert engine.publish_event("t", n, source="s", id=str(n))
            counts += engine.query("SELECT count(*) FROM cloud_event")[0]
        assert counts == [72, 23, 4]
        assert engine.run_workflow(main, 1).data == "still inside"


def test_deleting_a_workflow_keeps_the_events_for_others(stage: Stage, waiter):
    with stage.engine() as engine:
        first, second = (start(engine, waiter, name, 2) for name in "ab")
        engine.publish_event("t", 1)
        stage.until(lambda: all(engine.list_steps(name) for name in "ab"))
        stage.parked(first)
        first.cancel()
        engine.delete_workflow("a")
        engine.publish_event("t", 2)
        assert second.get_result(timeout=20) == [1, 2]
        assert engine.query("SELECT count(*) FROM taking") == [(2,)]


# --- limits -------------------------------------------------------------------------------------------------------


def test_an_event_or_a_timeout(stage: Stage, any_waiter):
    with stage.engine() as engine:
        late = start(engine, any_waiter, "late", 1, timeout=10)
        in_time = start(engine, any_waiter, "in time", 1, timeout=10.5)
        stage.asleep(late)
        stage.asleep(in_time)
        assert late.get_status().waiting_on[0].until == NOON + timedelta(seconds=10)
        stage.clock.move(10)
        with pytest.raises(litewf.WaitTimeoutError, match="'t'.*late"):
            late.get_result(timeout=20)
        engine.publish_event("t", 1)
        assert in_time.get_result(timeout=20) == [1]


def test_a_default_is_not_recorded_but_that_nothing_came_is(stage: Stage, registry):
    """A replay asks for its own default, and never finds an event that came later."""
    runs = itertools.count()

    @registry.workflow
    def main():
        found = litewf.wait_event("t", timeout=5, default=f"run {next(runs)}")
        litewf.sleep(5)
        return found

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.asleep(handle)
        stage.clock.move(5)
        stage.until(lambda: len(engine.list_steps("w")) == 2)
        stage.asleep(handle)
        engine.publish_event("t", "too late")
        stage.clock.move(5)
        assert handle.get_result(timeout=20) == "run 2"


@pytest.mark.parametrize("comes", [True, False])
def test_an_event_or_a_moment_whichever_is_first(stage: Stage, registry, comes):
    """A withdrawn wait takes nothing: the event is there for the next."""

    @registry.workflow
    async def main():
        event, clock = litewf.wait_event_async("t", delivery="one"), litewf.sleep_async(10)
        first = await litewf.wait_first_async([event, clock])
        if first is clock:
            return "nothing came", (await litewf.wait_event_async("t", delivery="one")).data
        return "it came", (await event).data

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.parked(handle)
        stage.clock.move(4 if comes else 10)
        if not comes:
            stage.until(lambda: any(step.name == "litewf.wait_first" for step in engine.list_steps("w")))
        engine.publish_event("t", "data")
        assert handle.get_result(timeout=20) == ("it came" if comes else "nothing came", "data")


def test_a_withdrawn_wait_takes_nothing(stage: Stage, registry):
    @registry.workflow
    async def main():
        one, other = litewf.wait_event_async("a"), litewf.wait_event_async("b")
        first = await litewf.wait_first_async([one, other])
        got = (await first).data
        return got, [(await litewf.wait_event_async(name, timeout=0, default=None)) is None for name in "ab"]

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        stage.parked(handle)
        assert {wait.what for wait in handle.get_status().waiting_on} == {
            "a CloudEvent of type 'a'", "a CloudEvent of type 'b'",
        }  # fmt: skip
        with stage.engine(registry=litewf.Registry()) as other:
            other.publish_event("b", 1)
        got, missing = handle.get_result(timeout=20)
        assert (got, missing) == (1, [True, True])


def test_waiting_on_says_what_for_and_until_when(stage: Stage, any_waiter):
    with stage.engine() as engine:
        handle = start(engine, any_waiter, "w", 1, timeout=60, where={"a": 1})
        stage.parked(handle)
        (wait,) = handle.get_status().waiting_on
        assert (wait.step_id, wait.what, wait.until) == ("1", "a CloudEvent of type 't'", NOON + timedelta(seconds=60))


def test_a_cancel_ends_a_wait_and_takes_nothing(stage: Stage, any_waiter):
    with stage.engine() as engine:
        handle = start(engine, any_waiter, "w", 1, delivery="one")
        stage.parked(handle)
        handle.cancel()
        engine.publish_event("t", 1)
        with pytest.raises(litewf.WorkflowCancelledError):
            handle.get_result()
        assert engine.query("SELECT winner FROM cloud_event") == [(None,)]
        assert engine.query("SELECT count(*) FROM taking") == [(0,)]
        assert engine.query("SELECT count(*) FROM step") == [(0,)]


def test_the_epoch_of_since_is_checked(stage: Stage, registry):
    @registry.workflow
    def main():
        for wrong, error in (("noon", TypeError), (datetime(2030, 1, 1), ValueError), (1, TypeError)):  # noqa: DTZ001
            with pytest.raises(error, match="since"):
                litewf.wait_event("t", since=wrong)
        return litewf.wait_event("t", since=datetime(2030, 1, 1, tzinfo=UTC), timeout=0, default="none")

    with stage.engine() as engine:
        handle = start(engine, main, "w")
        assert handle.get_result() == "none"
        assert [step.step_id for step in engine.list_steps("w")] == ["1"]
