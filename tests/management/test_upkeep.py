"""Pruning and backups, while everything goes on."""

import threading
from datetime import timedelta

import pytest

import litewf
from tests.stage import Stage


@pytest.fixture
def quick(registry):
    @registry.workflow(name="quick")
    def quick(value=1):
        return value

    return quick


@pytest.fixture
def sleeper(registry):
    @registry.workflow(name="sleeper")
    def sleeper():
        litewf.sleep(100_000)

    return sleeper


def test_prune_deletes_what_ended_long_enough_ago_and_says_how_many(stage: Stage, quick):
    with stage.engine() as engine:
        for number in range(6):
            engine.run_workflow(quick.with_options(workflow_id=f"q{number}"))
            stage.clock.move(60)
        assert engine.prune(older_than=180) == 3
        assert [found.workflow_id for found in engine.list_workflows()] == ["q3", "q4", "q5"]
        assert engine.prune(older_than=timedelta(hours=1)) == 0


def test_prune_spares_what_is_unfinished_however_old(stage: Stage, quick, sleeper):
    """J4."""
    with stage.engine() as engine:
        stage.parked(engine.start_workflow(sleeper.with_options(workflow_id="s")))
        engine.run_workflow(quick)
        stage.clock.move(3600)
        assert engine.prune(older_than=0) == 1
        assert [found.workflow_id for found in engine.list_workflows()] == ["s"]


def test_prune_spares_the_children_of_an_unfinished_parent(stage: Stage, registry, quick):
    """J4: a parent that is replayed may still ask for them."""

    @registry.workflow
    def parent():
        handle = litewf.start_workflow(quick, 7)
        litewf.sleep(1000)
        return handle.get_result()

    with stage.engine() as engine:
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        stage.parked(handle)
        engine.retrieve_workflow("p~1").get_result()
        stage.clock.move(999)
        assert engine.prune(older_than=10) == 0
        stage.clock.move(1)
        assert handle.get_result() == 7
        stage.clock.move(100)
        assert engine.prune(older_than=10) == 2
        assert engine.query("SELECT count(*) FROM step") == [(0,)]


def test_prune_works_in_small_batches_so_that_writers_are_never_kept_waiting(stage: Stage, quick):
    with stage.engine() as engine:
        engine.start_workflows([(quick, number) for number in range(900)])
        stage.until(lambda: engine.query("SELECT count(*) FROM workflow WHERE completed_us IS NULL") == [(0,)])
        stage.clock.move(60)
        before = stage.commits
        assert engine.prune(older_than=30) == 900
        assert stage.commits - before >= 4


@pytest.mark.parametrize(
    ("age", "error"), [(-1, ValueError), (float("nan"), ValueError), ("7 days", TypeError), (None, TypeError)]
)
def test_an_age_that_is_no_duration_is_refused(engine, age, error):
    with pytest.raises(error, match="older_than"):
        engine.prune(older_than=age)


def test_a_backup_opens_as_an_engine_of_its_own(stage: Stage, tmp_path, quick, sleeper):
    copy = tmp_path / "copy.db"
    with stage.engine() as engine:
        engine.run_workflow(quick.with_options(workflow_id="q"), {"sku": 7})
        stage.parked(engine.start_workflow(sleeper.with_options(workflow_id="s")))
        assert engine.backup(copy) == copy
        engine.cancel_workflow("s")
    stage.path = copy
    with stage.engine() as engine:
        assert engine.query("PRAGMA table_list(workflow)")
        assert engine.retrieve_workflow("q").get_result() == {"sku": 7}
        assert engine.retrieve_workflow("s").get_status().status == "PENDING"
        stage.clock.move(100_000)
        assert engine.retrieve_workflow("s").get_result() is None


def test_what_ran_at_the_backup_goes_on_at_once_in_the_copy(stage: Stage, tmp_path, registry):
    started, go_on, runs = threading.Event(), threading.Event(), []

    @registry.step
    def body():
        runs.append(1)
        started.set()
        assert go_on.wait(10)
        return "done"

    @registry.workflow
    def workflow():
        return body()

    with stage.engine() as engine:
        handle = engine.start_workflow(workflow)
        assert started.wait(10)
        engine.backup(tmp_path / "copy.db")
        go_on.set()
        stage.path = tmp_path / "copy.db"
        with stage.engine() as copied:
            again = copied.retrieve_workflow(handle.workflow_id)
            assert again.get_result() == "done"
            assert again.get_status().attempts == 1
    assert runs == [1, 1]


def test_a_backup_while_writing_is_consistent(stage: Stage, tmp_path, quick):
    """A2: whole starts only, with their request, and ends with their outcome."""
    stop = threading.Event()
    with stage.engine() as engine:

        def write():
            while not stop.is_set():
                engine.start_workflows([(quick, number) for number in range(20)])

        thread, before = threading.Thread(target=write), stage.commits
        thread.start()
        stage.until(engine.list_workflows)
        copies = [engine.backup(tmp_path / f"copy-{number}.db") for number in range(3)]
        stop.set()
        thread.join()
    for copy in copies:
        stage.path = copy
        with stage.engine() as engine:
            stage.until(
                lambda engine=engine: engine.query(
                    "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM workflow WHERE completed_us IS NULL)"
                )
            )
            count = len(engine.list_workflows())
            assert count > 0
            assert count % 20 == 0
            assert engine.query("SELECT count(*) FROM request") == [(count,)]
            assert engine.query("SELECT count(*) FROM outcome WHERE output IS NOT NULL") == [(count,)]


def test_a_backup_refuses_to_overwrite(engine, path, tmp_path):
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(litewf.StoreUnsupportedError, match="never overwrites"):
        engine.backup(tmp_path / "precious")
    assert (tmp_path / "precious").read_text() == "mine"
    with pytest.raises(litewf.StoreUnsupportedError):
        engine.backup(path)


def test_a_backup_to_a_place_that_is_not_there_is_refused(engine, tmp_path):
    with pytest.raises(litewf.StoreUnsupportedError):
        engine.backup(tmp_path / "nowhere" / "copy.db")


def test_a_failed_backup_leaves_nothing(engine, tmp_path, monkeypatch):
    import os

    def fail(*_args):
        raise FileExistsError

    monkeypatch.setattr(os, "link", fail)
    with pytest.raises(litewf.StoreUnsupportedError, match="meanwhile"):
        engine.backup(tmp_path / "copy.db")
    assert [file.name for file in tmp_path.iterdir() if "copy" in file.name] == []


@pytest.mark.parametrize("call", ["backup", "prune", "transact"])
def test_what_blocks_for_long_is_refused_inside_a_workflow(engine, registry, tmp_path, call):
    @registry.workflow
    def wrong():
        calls = {
            "backup": lambda: engine.backup(tmp_path / "copy.db"),
            "prune": lambda: engine.prune(older_than=0),
            "transact": lambda: engine.transact(print),
        }
        calls[call]()

    with pytest.raises(litewf.UsageError, match=rf"{call}\(\) was called inside"):
        engine.run_workflow(wrong)
