"""What happens when a tick comes before the run of the last one has ended; jitter; queues."""

import pytest

import litewf
from tests.schedules.scene import HOUR, MINUTE, at


@pytest.fixture
def slow(scene):
    """A workflow that takes fifty minutes, parked in a sleep; the diary tells how many ran at once."""
    scene.running = []
    scene.most = 0

    @scene.registry.workflow(name="slow")
    def slow(scheduled_at, actual_at):
        begin(scheduled_at, actual_at)
        litewf.sleep(50 * MINUTE)
        end(scheduled_at)

    @scene.registry.step(name="begin")
    def begin(scheduled_at, actual_at):
        scene.note(scheduled_at, actual_at)
        scene.running.append(scheduled_at)
        scene.most = max(scene.most, len(scene.running))

    @scene.registry.step(name="end")
    def end(scheduled_at):
        scene.running.remove(scheduled_at)

    return slow


@pytest.mark.parametrize("queue", [None, "mine"])
def test_allow_lets_ticks_overlap(scene, slow, queue):
    litewf.scheduled("*/20 * * * *", queue=queue)(slow)
    with scene.engine() as engine:
        scene.pass_time(engine, 2 * HOUR, step=5 * MINUTE)
    assert scene.ticks == ["12:20", "12:40", "13:00", "13:20", "13:40", "14:00"]
    assert scene.most == 3


@pytest.mark.parametrize("queue", [None, "mine"])
def test_skip_leaves_out_the_ticks_that_come_while_one_runs(scene, slow, queue):
    litewf.scheduled("*/25 * * * *", overlap="skip", queue=queue)(slow)
    with scene.engine() as engine:
        scene.pass_time(engine, 3 * HOUR, step=5 * MINUTE)
        assert engine.get_schedule("slow").last_at == scene.notes[-1][0]
    assert scene.ticks == ["12:25", "13:25", "14:25"]
    assert scene.most == 1


def test_buffer_one_keeps_one_tick_behind_and_leaves_out_more(scene, slow):
    litewf.scheduled("*/20 * * * *", overlap="buffer_one")(slow)
    with scene.engine() as engine:
        scene.pass_time(engine, 50 * MINUTE, step=5 * MINUTE)
        assert [status.status for status in engine.list_workflows()] == ["PENDING", "ENQUEUED"]
        scene.pass_time(engine, 15 * MINUTE, step=5 * MINUTE)
        assert [status.status for status in engine.list_workflows()] == ["PENDING", "ENQUEUED"]
        scene.pass_time(engine, 3 * HOUR, step=5 * MINUTE)
    assert scene.ticks == ["12:20", "12:40", "13:20", "14:20", "15:00"]
    assert scene.most == 1


@pytest.mark.parametrize("overlap", ["skip", "buffer_one"])
def test_a_run_that_waits_for_a_child_keeps_its_place(scene, overlap):
    """A parked run has not ended, whatever it waits for."""
    running = []

    @scene.registry.workflow(name="child")
    def child():
        litewf.sleep(50 * MINUTE)

    @litewf.scheduled("*/20 * * * *", overlap=overlap)
    @scene.registry.workflow(name="parent")
    def parent(scheduled_at, actual_at):
        enter(scheduled_at)
        child()
        leave(scheduled_at)

    @scene.registry.step(name="enter")
    def enter(scheduled_at):
        running.append(scheduled_at)
        assert len(running) == 1

    @scene.registry.step(name="leave")
    def leave(scheduled_at):
        running.remove(scheduled_at)

    with scene.engine() as engine:
        scene.pass_time(engine, 4 * HOUR, step=5 * MINUTE)
        ended = engine.list_workflows(name="parent", status="SUCCESS")
        assert engine.list_workflows(status="ERROR") == []
    assert len(ended) == {"skip": 3, "buffer_one": 4}[overlap]


def test_a_cancelled_run_makes_way_for_the_one_behind_it(scene, slow):
    litewf.scheduled("*/20 * * * *", overlap="buffer_one")(slow)
    with scene.engine() as engine:
        scene.pass_time(engine, 41 * MINUTE)
        engine.cancel_workflow("slow@2030-01-01T12:20:00Z")
        scene.rest(engine)
    assert scene.ticks == ["12:20", "12:40"]


def test_schedules_do_not_stand_in_each_others_way(scene, slow):
    for name in ("a", "b", "c"):
        litewf.scheduled("*/20 * * * *", name=name, overlap="buffer_one")(slow)
    with scene.engine() as engine:
        scene.pass_time(engine, 21 * MINUTE)
    assert scene.ticks == ["12:20"] * 3


def test_missed_ticks_that_must_not_overlap_do_not(scene, slow):
    litewf.scheduled("*/10 * * * *", overlap="skip", on_missed="all")(slow)
    with scene.engine() as engine:
        scene.jump(engine, 35 * MINUTE)
        assert scene.ticks == ["12:10"]


@pytest.mark.parametrize("overlap", ["skip", "buffer_one"])
def test_backfilled_ticks_run_one_after_the_other_where_ticks_must_not_overlap(scene, slow, overlap):
    litewf.scheduled("0 0 1 1 *", overlap=overlap)(slow)
    with scene.engine() as engine:
        engine.create_schedule("past", slow, "*/10 * * * *", overlap=overlap)
        engine.pause_schedule("past")
        handles = engine.backfill_schedule("past", at("2030-01-01 11:00"), at("2030-01-01 11:30"))
        scene.rest(engine)
        scene.pass_time(engine, 3 * HOUR, step=30 * MINUTE)
        assert [handle.get_status().status for handle in handles] == ["SUCCESS"] * 3
    assert scene.ticks == ["11:00", "11:10", "11:20"]
    assert scene.most == 1


def test_jitter_puts_off_the_start_and_is_drawn_once(scene, report):
    litewf.scheduled("0 * * * *", jitter=600)(report)
    with scene.engine() as engine:
        scene.jump(engine, HOUR)
        [status] = engine.list_workflows()
        planned = status.input.args[1]
        assert status.status == "DELAYED"
        assert at("2030-01-01 13:00") <= planned <= at("2030-01-01 13:10")
    with scene.engine() as engine:
        scene.jump(engine, (planned - scene.clock.now).total_seconds() - 0.001)
        assert scene.ticks == []
        assert engine.next_due() == planned
        scene.jump(engine, 0.001)
    assert scene.notes == [(at("2030-01-01 13:00"), planned)]


def test_jitter_spreads_ticks(scene, report):
    litewf.scheduled("* * * * *", jitter=30)(report)
    with scene.engine() as engine:
        scene.pass_time(engine, 30 * MINUTE, step=30)
    delays = {(actual - tick).total_seconds() for tick, actual in scene.notes}
    assert len(delays) == len(scene.notes) >= 28
    assert all(0 <= delay <= 30 for delay in delays)


def test_a_queue_of_ones_own_decides_when_ticks_run(scene, slow):
    litewf.Queue("narrow", global_concurrency=1, registry=scene.registry)
    litewf.scheduled("*/20 * * * *", queue="narrow")(slow)
    with scene.engine() as engine:
        engine.pause_queue("narrow")
        scene.pass_time(engine, 21 * MINUTE)
        assert scene.ticks == []
        engine.resume_queue("narrow")
        scene.rest(engine)
        assert scene.ticks == ["12:20"]
        scene.pass_time(engine, 4 * HOUR, step=10 * MINUTE)
    assert scene.most == 1


def test_an_engine_that_serves_no_queue_runs_its_schedules(scene, slow):
    litewf.scheduled("*/20 * * * *", overlap="skip", jitter=60)(slow)
    with scene.engine(queues=[]) as engine:
        scene.pass_time(engine, 30 * MINUTE)
    assert scene.ticks == ["12:20"]


def test_the_queue_of_litewf_is_nobody_elses(scene, slow):
    with scene.engine() as engine:
        assert engine.list_queues() == []
        for change in (engine.pause_queue, engine.delete_queue, engine.create_queue):
            with pytest.raises(ValueError, match="litewf"):
                change("litewf.scheduled")
        with pytest.raises(ValueError, match="litewf"):
            engine.enqueue("litewf.scheduled", slow, None, None)
