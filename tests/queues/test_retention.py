"""J4: retention deletes only what has ended and what nobody may still ask about, a little at a time."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

import litewf
from litewf.engine import retention
from litewf.testing import MortalEngine
from tests.stage import Stage

HOUR_S = 3600.0


@pytest.fixture
def quick(registry: litewf.Registry) -> Any:
    @registry.workflow(name="quick")
    def quick(text: str = "") -> str:
        litewf.random()
        return text

    return quick


def run(engine: litewf.Engine, workflow: Any, count: int, *args: Any) -> list[str]:
    handles = engine.start_workflows([(workflow, *args) for _ in range(count)])
    for handle in handles:
        handle.get_result(timeout=20)
    return [handle.workflow_id for handle in handles]


def ids(engine: litewf.Engine) -> set[str]:
    return {one.workflow_id for one in engine.list_workflows()}


def rows(stage: Stage, sql: str) -> list[Any]:
    connection = apsw.Connection(str(stage.path))
    try:
        return list(connection.execute(sql))
    finally:
        connection.close()


def test_what_ended_too_long_ago_goes_at_launch_and_every_minute(stage: Stage, quick: Any) -> None:
    with stage.engine() as engine:
        run(engine, quick, 3)
        stage.clock.move(HOUR_S + 1)
        young = set(run(engine, quick, 2))
    with stage.engine(retention=HOUR_S) as engine:
        stage.until(lambda: ids(engine) == young)
        stage.clock.move(HOUR_S - 1)
        youngest = set(run(engine, quick, 1))
        for _ in range(50):  # minutes, as no signal marks a round that found nothing
            stage.clock.move(61)
            threading.Event().wait(0.01)
            if ids(engine) == youngest:
                break
        assert ids(engine) == youngest
    assert rows(stage, "SELECT count(*) FROM step") == [(1,)]
    assert rows(stage, "PRAGMA foreign_key_check") == []


def test_the_newest_stay_by_count(stage: Stage, quick: Any) -> None:
    with stage.engine() as engine:
        everything = run(engine, quick, 130)
    with stage.engine(retention=litewf.Retention(count=20)) as engine:
        stage.until(lambda: ids(engine) == set(everything[-20:]))


def test_age_and_count_hold_both(stage: Stage, quick: Any) -> None:
    with stage.engine() as engine:
        run(engine, quick, 5)
        stage.clock.move(HOUR_S + 1)
        young = run(engine, quick, 5)
    with stage.engine(retention=litewf.Retention(age=HOUR_S, count=3)) as engine:
        stage.until(lambda: ids(engine) == set(young[-3:]))


def test_what_has_not_ended_or_has_an_unfinished_parent_stays(stage: Stage, quick: Any) -> None:
    @stage.registry.workflow(name="parent")
    def parent() -> str:
        handle = litewf.start_workflow(quick, "from the child")
        litewf.recv()
        return handle.get_result()

    with stage.engine(retention=litewf.Retention(age=1, count=1)) as engine:
        engine.pause_queue("q")
        engine.enqueue("q", quick.with_options(workflow_id="waiting"))
        engine.enqueue("q", quick.with_options(workflow_id="delayed", delay=10 * HOUR_S))
        handle = engine.start_workflow(parent.with_options(workflow_id="p"))
        stage.parked(handle)
        engine.retrieve_workflow("p~1").get_result(timeout=20)
        finished = run(engine, quick, 5)
        stage.clock.move(HOUR_S)
        stage.until(lambda: not ids(engine) & set(finished))
        assert ids(engine) == {"p", "p~1", "waiting", "delayed"}
        engine.send("p", "go on")
        assert handle.get_result(timeout=20) == "from the child"
        stage.clock.move(HOUR_S)
        stage.until(lambda: ids(engine) == {"waiting", "delayed"})


def test_a_cancelled_workflow_stays_while_its_body_runs(stage: Stage) -> None:
    begun, gate = threading.Event(), threading.Event()

    @stage.registry.workflow(name="stubborn")
    def stubborn() -> None:
        begun.set()
        assert gate.wait(20)

    with stage.engine(retention=1.0) as engine:
        handle = engine.enqueue("q", stubborn)
        assert begun.wait(20)
        handle.cancel()
        run(engine, stage.registry.workflow(name="other")(lambda: None), 3)
        stage.clock.move(HOUR_S)
        stage.until(lambda: ids(engine) == {handle.workflow_id})
        gate.set()
        stage.until(lambda: not engine.query("SELECT 1 FROM workflow WHERE owner IS NOT NULL"))
        stage.clock.move(HOUR_S)
        stage.until(lambda: ids(engine) == set())
        assert engine.query("SELECT count(*) FROM task") == [(0,)]


def test_no_transaction_takes_many_and_long_histories_go_in_parts(
    stage: Stage, quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    @stage.registry.workflow(name="long")
    def long() -> None:
        for number in range(120):
            litewf.random()
            litewf.set_event("key", number)

    monkeypatch.setattr(retention, "ROWS", 50)
    monkeypatch.setattr(retention, "MOST", 50)
    deleted: list[int] = []
    turn = retention.managing.prune

    def prune(tx: Any, keys: Any, before_us: int) -> int:
        deleted.append(turn(tx, keys, before_us))
        return deleted[-1]

    monkeypatch.setattr(retention.managing, "prune", prune)
    with stage.engine() as engine:
        run(engine, quick, 300)
        run(engine, long, 1)
        stage.clock.move(HOUR_S)
    before = stage.commits
    with stage.engine(retention=1.0) as engine:
        stage.until(lambda: ids(engine) == set())
        assert max(deleted) <= 50
        assert stage.commits - before >= 300 // 50 + (120 + 120) // 50


def test_space_goes_back_to_the_file_system(stage: Stage, quick: Any) -> None:
    with stage.engine() as engine:
        run(engine, quick, 100, "x" * 20_000)
        stage.clock.move(HOUR_S)
    before = stage.path.stat().st_size
    with stage.engine(retention=1.0) as engine:
        stage.until(lambda: ids(engine) == set() and rows(stage, "PRAGMA freelist_count") == [(0,)])
    assert stage.path.stat().st_size < before / 4


def test_several_engines_prune_one_file(stage: Stage, quick: Any) -> None:
    with stage.engine() as engine:
        run(engine, quick, 200)
        stage.clock.move(HOUR_S)
    with stage.engine(retention=1.0) as one, stage.engine(retention=litewf.Retention(count=1)):
        stage.until(lambda: ids(one) == set())


def test_a_workflow_from_a_time_when_the_clock_was_wrong_does_not_stop_retention(stage: Stage, quick: Any) -> None:
    with stage.engine() as engine:
        stage.clock.move(1000 * HOUR_S)
        wrong = run(engine, quick, 1)
        stage.clock.move(-1000 * HOUR_S)
        run(engine, quick, 3)
        stage.clock.move(HOUR_S)
    with stage.engine(retention=1.0) as engine:
        stage.until(lambda: ids(engine) == set(wrong))


def test_a_death_at_any_commit_of_a_pruning_harms_nothing(
    path: Any, registry: litewf.Registry, quick: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS", 10)
    monkeypatch.setattr(retention, "MOST", 5)
    stage = Stage(path, registry)

    @registry.workflow(name="long")
    def long() -> None:
        for _ in range(25):
            litewf.random()

    with stage.engine() as engine:
        run(engine, quick, 12)
        run(engine, long, 2)
        stage.clock.move(HOUR_S)
        kept = set(run(engine, quick, 2))
    image = _files(path)
    for at in range(1, 60):
        _put(image, path)
        if not _killed(stage, at):
            break
        assert rows(stage, "PRAGMA integrity_check") == [("ok",)]
        assert rows(stage, "PRAGMA foreign_key_check") == []
        assert {row[0] for row in rows(stage, "SELECT id FROM workflow")} >= kept
        with stage.engine(retention=10.0) as engine:
            stage.until(lambda engine=engine: ids(engine) == kept)
    assert at > 12


def _files(path: Path) -> dict[str, bytes]:
    """The file, and the -wal where a busy machine left one."""
    found = {suffix: path.with_name(path.name + suffix) for suffix in ("", "-wal")}
    return {suffix: file.read_bytes() for suffix, file in found.items() if file.exists()}


def _put(files: dict[str, bytes], path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    for suffix, content in files.items():
        path.with_name(path.name + suffix).write_bytes(content)


def _killed(stage: Stage, at: int) -> bool:
    """Launch an engine that prunes and dies at a commit; False if it came to an end before."""
    idle = threading.Event()

    def prune(engine: MortalEngine) -> None:
        while len(engine.list_workflows(load_input=False)) != 2:
            engine.raise_if_dead()
            idle.wait(0.01)  # a prune is announced by nothing, and is over within milliseconds

    return MortalEngine(stage.path, registry=stage.registry, clock=stage.clock, die_at=at, retention=10.0).live(prune)


@pytest.mark.parametrize(
    "make",
    [
        litewf.Retention,
        lambda: litewf.Retention(age=-1),
        lambda: litewf.Retention(age="7 days"),
        lambda: litewf.Retention(count=-1),
        lambda: litewf.Retention(count=True),
        lambda: litewf.Retention(count=1.5),
        lambda: litewf.Engine("flows.db", retention=-1),
        lambda: litewf.Engine("flows.db", retention=float("nan")),
    ],
    ids=str.split("nothing negative text minus bool fraction engine nan"),
)
def test_a_retention_that_makes_no_sense_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        make()
