"""Schedules that make no sense are refused where they are written; odd names that do make sense work."""

import pytest

import litewf
from tests.schedules.scene import MINUTE


@pytest.mark.parametrize(
    ("options", "error", "what"),
    [
        ({"on_missed": "maybe"}, ValueError, "on_missed"),
        ({"overlap": "both"}, ValueError, "overlap"),
        ({"overlap": "buffer_one", "queue": "q"}, ValueError, "no queue"),
        ({"catch_up": 60}, ValueError, "only with"),
        ({"catch_up": -1, "on_missed": "all"}, ValueError, "catch_up"),
        ({"catch_up": float("nan"), "on_missed": "all"}, ValueError, "catch_up"),
        ({"catch_up": "5", "on_missed": "all"}, TypeError, "catch_up"),
        ({"jitter": -1}, ValueError, "jitter"),
        ({"jitter": float("inf")}, ValueError, "jitter"),
        ({"jitter": True}, TypeError, "jitter"),
        ({"jitter": None}, TypeError, "jitter"),
        ({"queue": "litewf.scheduled"}, ValueError, "litewf"),
        ({"queue": ""}, ValueError, "queue"),
        ({"name": ""}, ValueError, "name"),
        ({"name": " nightly"}, ValueError, "name"),
        ({"name": "a~b"}, ValueError, "~"),
        ({"name": "litewf.mine"}, ValueError, "litewf"),
        ({"name": "x" * 219}, ValueError, "218"),
        ({"name": "a\0b"}, ValueError, "name"),
        ({"name": 5}, TypeError, "name"),
    ],
    ids=range(20),
)  # fmt: skip
def test_bad_options_are_refused_by_name(scene, report, options, error, what):
    with pytest.raises(error, match=what):
        litewf.scheduled("0 * * * *", **options)(report)
    with scene.engine() as engine, pytest.raises(error, match=what):
        engine.create_schedule(**{"name": "s", "workflow": report, "cron": "0 * * * *", **options})


def test_a_name_of_the_greatest_length_works_and_odd_names_do_too(scene, report):
    names = ["x" * 218, "möchte gern ☃", "it's 100%", "../../up", "a@b"]
    with scene.engine() as engine:
        for name in names:
            engine.create_schedule(name, report, "*/5 * * * *")
        scene.pass_time(engine, 5 * MINUTE)
        for name in names:
            engine.trigger_schedule(name).get_result()
    assert len(scene.notes) == 2 * len(names)


def test_a_workflow_that_does_not_take_two_times_is_refused(scene):
    @scene.registry.workflow(name="plain")
    def plain():
        pass

    with pytest.raises(TypeError, match="scheduled_at, actual_at"):
        litewf.scheduled("0 * * * *")(plain)


@pytest.mark.parametrize("thing", [None, print, lambda a, b: None], ids=["None", "print", "a function"])
def test_what_is_no_workflow_is_refused(scene, thing):
    with pytest.raises(TypeError, match="above @workflow"):
        litewf.scheduled("0 * * * *")(thing)
    with scene.engine() as engine, pytest.raises(TypeError, match="a schedule is of"):
        engine.create_schedule("s", thing, "0 * * * *")


def test_start_options_that_would_be_lost_are_refused(scene, report):
    with scene.engine() as engine, pytest.raises(ValueError, match="without options"):
        engine.create_schedule("s", report.with_options(timeout=5), "0 * * * *")


def test_two_schedules_of_one_workflow_need_names_of_their_own(scene, report):
    litewf.scheduled("0 * * * *")(report)
    with pytest.raises(litewf.RegistrationError, match="name="):
        litewf.scheduled("30 * * * *")(report)
    litewf.scheduled("30 * * * *", name="half past")(report)
    with scene.engine() as engine:
        scene.pass_time(engine, 61 * MINUTE)
    assert scene.ticks == ["12:30", "13:00"]


def test_a_module_that_is_loaded_again_defines_its_schedule_anew(scene):
    for cron in ("0 * * * *", "30 * * * *"):
        litewf.scheduled(cron)(scene.registry.workflow(name="job")(lambda scheduled_at, actual_at: None))
    with scene.engine() as engine:
        assert engine.get_schedule("job").cron == "30 * * * *"


def test_every_table_of_litewf_is_out_of_reach_for_user_sql(scene):
    with scene.engine() as engine:
        for (table,) in engine.query("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"):
            with pytest.raises(litewf.UsageError):
                engine.transact(lambda conn, table=table: conn.execute(f"DELETE FROM {table}"))
