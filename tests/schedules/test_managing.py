"""Schedules while everything runs: created, changed, paused, resumed, triggered, filled in, deleted (H6)."""

import asyncio
from datetime import timedelta

import pytest

import litewf
from tests.schedules.scene import HOUR, MINUTE, at


def test_a_schedule_created_at_run_time_lives_in_the_file(scene, report):
    with scene.engine() as engine:
        engine.create_schedule(
            "every five", report, "*/5 * * * *", timezone="Europe/Berlin", on_missed="all", catch_up=HOUR, jitter=0.5
        )
    with scene.engine() as engine:
        assert engine.list_schedules() == [engine.get_schedule("every five")]
        info = engine.get_schedule("every five")
        scene.pass_time(engine, 11 * MINUTE)
    assert info == litewf.ScheduleInfo(
        name="every five", workflow="report", cron="*/5 * * * *", timezone="Europe/Berlin", on_missed="all",
        catch_up=timedelta(hours=1), overlap="allow", jitter=timedelta(seconds=0.5), queue=None, in_code=False,
        paused=False, next_at=at("2030-01-01 12:05"), last_at=None,
    )  # fmt: skip
    assert scene.ticks == ["12:05", "12:10"]


def test_a_schedule_of_a_workflow_by_name_fires_in_an_engine_that_has_it(scene, report):
    with litewf.Engine(scene.path, registry=litewf.Registry(), clock=scene.clock) as other:
        other.create_schedule("s", "report", "*/5 * * * *")
        scene.pass_time(other, 6 * MINUTE)
        assert other.list_workflows() == []
        assert other.next_due() is None
    with scene.engine() as engine:
        scene.rest(engine)
        scene.pass_time(engine, 5 * MINUTE)
    assert scene.ticks == ["12:05", "12:10"]


def test_a_schedule_in_code_fires_only_while_a_program_that_defines_it_runs(scene, report):
    litewf.scheduled("*/5 * * * *", name="s")(report)
    with scene.engine() as engine:
        scene.pass_time(engine, 6 * MINUTE)
    later = litewf.Registry()
    later.workflow(name="report")(report.fn)
    with scene.engine(registry=later) as engine:
        scene.pass_time(engine, HOUR)
        assert engine.get_schedule("s").in_code
    assert scene.ticks == ["12:05"]


def test_an_engine_of_older_code_leaves_a_schedule_alone_whose_workflow_it_lacks(scene, report):
    litewf.scheduled("*/5 * * * *", name="s")(report)
    newer = litewf.Registry()

    @litewf.scheduled("*/5 * * * *", name="s")
    @newer.workflow(name="report2")
    def report2(scheduled_at, actual_at):
        scene.note(scheduled_at, actual_at)

    with scene.engine() as old:
        with scene.engine(registry=newer):
            pass
        scene.pass_time(old, 6 * MINUTE)
        assert old.list_workflows() == []
    with scene.engine(registry=newer) as engine:
        scene.pass_time(engine, 5 * MINUTE)
    assert scene.ticks[-1] == "12:10"


def test_a_method_is_scheduled_with_its_object(scene):
    class Shop:
        def __init__(self, place):
            self.place = place

        @scene.registry.workflow(name="Shop.close")
        def close(self, scheduled_at, actual_at):
            scene.note(scheduled_at, actual_at)
            return self.place

    shop = scene.registry.instance("eu", Shop("eu"))
    with scene.engine() as engine:
        engine.create_schedule("closing", shop.close, "0 18 * * *")
        scene.pass_time(engine, 7 * HOUR, step=30 * MINUTE)
        [status] = engine.list_workflows()
    assert status.output == "eu"


# --- changing: H6 -------------------------------------------------------------------------------------------------


def test_another_cron_counts_from_now(scene, report):
    with scene.engine() as engine:
        engine.create_schedule("s", report, "0 * * * *")
        engine.create_schedule("s", report, "*/20 * * * *")
        assert engine.get_schedule("s").next_at == at("2030-01-01 12:20")
        scene.pass_time(engine, 25 * MINUTE)
        engine.create_schedule("s", report, "*/20 * * * *", timezone="Asia/Kathmandu")
        scene.pass_time(engine, HOUR)
    assert scene.ticks == ["12:20", "12:35", "12:55", "13:15"]


def test_other_options_leave_the_next_tick_as_it_is(scene, report):
    with scene.engine() as engine:
        engine.create_schedule("s", report, "0 13 * * *")
    scene.clock.move(3 * HOUR)
    with scene.engine() as engine:
        engine.pause_schedule("s")
    with scene.engine() as engine:
        before = engine.get_schedule("s").next_at
        engine.create_schedule("s", report, "0 13 * * *", on_missed="once")
        after = engine.get_schedule("s")
    assert (after.next_at, after.on_missed, after.paused) == (before, "once", True)


def test_what_changes_in_code_is_changed_by_the_next_launch(scene, report, caplog):
    litewf.scheduled("0 * * * *", name="s")(report)
    with scene.engine() as engine:
        scene.pass_time(engine, 61 * MINUTE)
    again = litewf.Registry()
    litewf.scheduled("0 15 * * *", name="s")(again.workflow(name="report")(report.fn))
    with caplog.at_level("INFO"), scene.engine(registry=again) as engine:
        assert engine.get_schedule("s").next_at == at("2030-01-01 15:00")
        scene.pass_time(engine, 3 * HOUR)
    assert scene.ticks == ["13:00", "15:00"]
    assert [record for record in caplog.records if "schedule 's' changes" in record.getMessage()]


def test_a_schedule_defined_after_the_launch_fires_too(scene, report):
    with scene.engine() as engine:
        litewf.scheduled("*/5 * * * *", name="late")(report)
        scene.until(engine.list_schedules)
        scene.pass_time(engine, 5 * MINUTE)
    assert scene.ticks == ["12:05"]


def test_a_pause_stops_ticks_at_once_and_a_resume_goes_on_with_the_next(scene, report):
    litewf.scheduled("*/5 * * * *", on_missed="all")(report)
    with scene.engine() as engine:
        scene.pass_time(engine, 6 * MINUTE)
        engine.pause_schedule("report")
        scene.pass_time(engine, 20 * MINUTE)
        assert engine.get_schedule("report").paused
        assert engine.next_due() is None
    with scene.engine() as engine:
        scene.pass_time(engine, 10 * MINUTE)
        assert engine.get_schedule("report").paused, "a launch does not undo a pause"
        engine.resume_schedule("report")
        engine.resume_schedule("report")
        scene.pass_time(engine, 6 * MINUTE)
    assert scene.ticks == ["12:05", "12:40"]


def test_resuming_what_is_not_paused_drops_no_tick(scene, report):
    litewf.scheduled("*/5 * * * *", on_missed="all")(report)
    with scene.engine():
        pass
    scene.clock.move(11 * MINUTE)
    with litewf.Client(scene.path, clock=scene.clock) as client:
        client.resume_schedule("report")
    with scene.engine() as engine:
        scene.rest(engine)
    assert sorted(scene.ticks) == ["12:05", "12:10"]


def test_a_deleted_schedule_is_gone_and_its_workflows_stay(scene, report):
    with scene.engine() as engine:
        engine.create_schedule("s", report, "*/5 * * * *")
        scene.pass_time(engine, 6 * MINUTE)
        engine.delete_schedule("s")
        scene.pass_time(engine, HOUR)
        assert engine.list_schedules() == []
        assert len(engine.list_workflows()) == 1
        assert engine.next_due() is None
        with pytest.raises(litewf.ScheduleNotFoundError, match="no schedule 's'"):
            engine.get_schedule("s")


def test_a_schedule_of_this_code_is_not_changed_or_deleted_behind_its_back(scene, report):
    litewf.scheduled("*/5 * * * *", name="s")(report)
    with scene.engine() as engine:
        with pytest.raises(litewf.UsageError, match="defined in code"):
            engine.create_schedule("s", report, "0 * * * *")
        with pytest.raises(litewf.UsageError, match="defined in this program"):
            engine.delete_schedule("s")
        assert engine.get_schedule("s").cron == "*/5 * * * *"
    with litewf.Client(scene.path) as client:
        client.delete_schedule("s")
        assert client.list_schedules() == []


@pytest.mark.parametrize("name", ["get", "pause", "resume", "trigger", "delete"])
def test_a_schedule_that_is_not_there_is_named(scene, name):
    with scene.engine() as engine, pytest.raises(litewf.ScheduleNotFoundError, match="'nightly'"):
        getattr(engine, f"{name}_schedule")("nightly")


def test_a_change_and_a_tick_never_overlap(scene, report):
    """H6: whatever is committed first, the ticks before it follow the old cron and those after it the new one."""
    with scene.engine() as engine, litewf.Client(scene.path, clock=scene.clock) as client:
        engine.create_schedule("s", report, "* * * * *")
        for minute in range(1, 20):
            scene.clock.move(60)
            client.create_schedule("s", report, "* * * * *" if minute % 2 else "*/1 * * * *")
            scene.rest(engine)
    assert len(scene.ticks) == len(set(scene.ticks))


# --- trigger and backfill -----------------------------------------------------------------------------------------


def test_a_trigger_runs_it_now_beside_its_ticks_also_while_it_is_paused(scene, report):
    litewf.scheduled("*/5 * * * *")(report)
    with scene.engine() as engine:
        engine.pause_schedule("report")
        handle = engine.trigger_schedule("report")
        handle.get_result()
        assert handle.workflow_id.startswith("report@")
        assert engine.get_schedule("report").last_at is None
        engine.trigger_schedule("report").get_result()
    assert scene.notes == [(scene.clock.now, scene.clock.now)] * 2


@pytest.mark.parametrize(("overlap", "fit"), [("allow", 4), ("skip", 1), ("buffer_one", 2)])
def test_a_trigger_respects_the_overlap_policy(scene, overlap, fit):
    @scene.registry.workflow(name="slow")
    def slow(scheduled_at, actual_at):
        litewf.recv()

    with scene.engine() as engine:
        engine.create_schedule("s", slow, "0 0 1 1 *", overlap=overlap)
        for _ in range(fit):
            engine.trigger_schedule("s")
        if fit < 4:
            with pytest.raises(litewf.DuplicateWorkflowError, match="has not ended"):
                engine.trigger_schedule("s")


def test_a_backfill_runs_every_tick_from_its_start_and_before_its_end_once(scene, report):
    litewf.scheduled("0 * * * *")(report)
    with scene.engine() as engine:
        scene.pass_time(engine, 61 * MINUTE)
        first = engine.backfill_schedule("report", at("2030-01-01 10:00"), at("2030-01-01 12:00"))
        again = engine.backfill_schedule("report", at("2030-01-01 10:00"), at("2030-01-01 13:01"))
        scene.rest(engine)
        assert [handle.workflow_id[-9:] for handle in first] == ["10:00:00Z", "11:00:00Z"]
        assert [handle.workflow_id[-9:-4] for handle in again] == ["10:00", "11:00", "12:00", "13:00"]
        assert again[:2] == first
        assert engine.get_schedule("report").next_at == at("2030-01-01 14:00")
    assert sorted(scene.ticks) == ["10:00", "11:00", "12:00", "13:00"]


def test_a_backfill_that_makes_no_sense_is_refused(scene, report):
    litewf.scheduled("* * * * *")(report)
    with scene.engine() as engine:
        now = scene.clock.now
        with pytest.raises(ValueError, match="must come after its start"):
            engine.backfill_schedule("report", now, now)
        with pytest.raises(ValueError, match="aware"):
            engine.backfill_schedule("report", now.replace(tzinfo=None), now)
        with pytest.raises(litewf.UsageError, match="beyond now"):
            engine.backfill_schedule("report", now, now + timedelta(days=1))
        with pytest.raises(litewf.UsageError, match="part by part"):
            engine.backfill_schedule("report", now - timedelta(days=30), now)
        assert engine.list_workflows() == []


# --- from anywhere ------------------------------------------------------------------------------------------------


def test_a_client_manages_schedules_of_workflows_that_it_does_not_have(scene, report):
    with scene.engine() as engine, litewf.Client(scene.path, registry=litewf.Registry(), clock=scene.clock) as client:
        client.create_schedule("s", "report", "*/5 * * * *")
        scene.until(lambda: engine.get_schedule("s"))
        scene.pass_time(engine, 6 * MINUTE)
        assert client.next_due() == at("2030-01-01 12:10")
        client.trigger_schedule("s").get_result(timeout=20)
        client.pause_schedule("s")
        assert client.next_due() is None
    assert scene.ticks == ["12:05", "12:06"]


def test_every_operation_has_an_async_form(scene, report):
    async def main():
        async with scene.engine() as engine:
            await engine.create_schedule_async("s", report, "0 * * * *")
            await engine.pause_schedule_async("s")
            await engine.resume_schedule_async("s")
            handle = await engine.trigger_schedule_async("s")
            await handle.get_result_async()
            handles = await engine.backfill_schedule_async("s", at("2030-01-01 10:00"), at("2030-01-01 12:00"))
            for handle in handles:
                await handle.get_result_async()
            assert await engine.list_schedules_async() == [await engine.get_schedule_async("s")]
            await engine.wait_until_idle_async(20)
            assert await engine.next_due_async() == at("2030-01-01 13:00")
            await engine.delete_schedule_async("s")

    asyncio.run(main())
    assert sorted(scene.ticks) == ["10:00", "11:00", "12:00"]


def test_inside_a_workflow_they_are_durable_calls(scene, report):
    engine = scene.engine()

    @scene.registry.workflow(name="admin")
    def admin():
        engine.create_schedule("s", report, "0 * * * *")
        handle = engine.trigger_schedule("s")
        handle.get_result()
        litewf.sleep(60)
        engine.pause_schedule("s")
        info = engine.get_schedule("s")
        engine.delete_schedule("s")
        return handle.workflow_id, info, engine.list_schedules()

    with engine:
        handle = engine.start_workflow(admin)
        scene.pass_time(engine, 5 * MINUTE)
        triggered, info, left = handle.get_result(timeout=0)
        assert [step.name for step in engine.list_steps(handle.workflow_id)][:2] == [
            "litewf.create_schedule", "litewf.trigger_schedule"]  # fmt: skip
        assert [status.workflow_id for status in engine.list_workflows(name="report")] == [triggered]
    assert info.paused
    assert left == []
