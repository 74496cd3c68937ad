"""An execution that lost its workflow writes nothing, whatever it still does."""

import signal
import threading
import time
from pathlib import Path

import apsw
import pytest
from children import Spawn
from test_several_processes import ENGINE, wait_for

import litewf


@pytest.fixture
def ledger(path: Path) -> Path:
    return Path(f"{path}.ledger")


def take_away(path: Path, workflow_id: str) -> None:
    """What a peer does to the workflows of an engine that it believes dead."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5000)
    connection.execute(
        "UPDATE workflow SET fence = fence + 1, owner = NULL, phase = 'ready' WHERE id = ?", (workflow_id,)
    ).fetchall()
    connection.close()


def test_stale_claim__an_outcome_that_comes_too_late_is_dropped(path: Path, registry: litewf.Registry) -> None:
    first_runs, go_on = threading.Event(), threading.Event()
    runs: list[int] = []

    @registry.step
    def which() -> int:
        runs.append(len(runs) + 1)
        mine = runs[-1]
        if mine == 1:
            first_runs.set()
            assert go_on.wait(20)
        return mine

    @registry.workflow
    def flow() -> int:
        return which()

    with litewf.Engine(path, registry=registry) as engine:
        handle = engine.start_workflow(flow)
        assert first_runs.wait(20)
        with litewf.Engine(path, registry=registry) as peer:
            take_away(path, handle.workflow_id)
            assert peer.retrieve_workflow(handle.workflow_id).get_result(timeout=20) == 2
        go_on.set()
        assert handle.get_result() == 2
        assert [step.output for step in engine.list_steps(handle.workflow_id)] == [2]
    assert runs == [1, 2]


def test_stale_claim__an_outcome_that_comes_while_the_new_owner_still_runs_the_body_is_dropped(
    path: Path, registry: litewf.Registry
) -> None:
    runs: list[int] = []
    begun = [threading.Event(), threading.Event()]
    go_on = [threading.Event(), threading.Event()]
    first_is_over = threading.Event()

    @registry.step
    def which() -> int:
        mine = len(runs)
        runs.append(mine)
        begun[mine].set()
        assert go_on[mine].wait(20)
        return mine

    @registry.workflow
    def flow() -> int:
        try:
            return which()
        finally:
            first_is_over.set()

    with litewf.Engine(path, registry=registry) as engine:
        handle = engine.start_workflow(flow)
        assert begun[0].wait(20)
        with litewf.Engine(path, registry=registry) as peer:
            take_away(path, handle.workflow_id)
            assert begun[1].wait(20)
            go_on[0].set()
            assert first_is_over.wait(20)
            assert engine.list_steps(handle.workflow_id) == []
            go_on[1].set()
            assert peer.retrieve_workflow(handle.workflow_id).get_result(timeout=20) == 1
    assert runs == [0, 1]


def test_stale_claim__nothing_else_of_the_old_execution_happens(path: Path, registry: litewf.Registry) -> None:
    """Not its next step, its children, its waits, its end."""
    first_runs, go_on, over = threading.Event(), threading.Event(), threading.Event()
    bodies: list[str] = []

    @registry.step
    def first() -> None:
        bodies.append("first")
        if len(bodies) == 1:
            first_runs.set()
            assert go_on.wait(20)

    @registry.step
    def second() -> None:
        bodies.append("second")

    @registry.workflow
    def child() -> None:
        bodies.append("child")

    @registry.workflow
    def flow() -> str:
        try:
            first()
            second()
            litewf.start_workflow(child).get_result()
        finally:
            if go_on.is_set():
                over.set()
        return "done"

    with litewf.Engine(path, registry=registry) as engine:
        handle = engine.start_workflow(flow)
        assert first_runs.wait(20)
        with litewf.Engine(path, registry=registry) as peer:
            take_away(path, handle.workflow_id)
            assert peer.retrieve_workflow(handle.workflow_id).get_result(timeout=20) == "done"
            assert bodies == ["first", "first", "second", "child"]
            go_on.set()
            assert over.wait(20)
        assert [flow.status for flow in engine.list_workflows()] == ["SUCCESS", "SUCCESS"]
    assert bodies == ["first", "first", "second", "child"]


def test_a_process_whose_lock_file_was_deleted_while_it_was_stopped_is_fenced_off_and_stops_itself(
    spawn: Spawn, ledger: Path, tmp_path: Path, path: Path
) -> None:
    gate, gate_of_the_late = tmp_path / "gate", tmp_path / "late"
    stopped, living = spawn(ENGINE), spawn(ENGINE)
    stopped.hear()
    [lock] = [file for file in path.parent.iterdir() if file.name.startswith(f"{path.name}-lock-{stopped.pid}")]
    living.hear()
    stopped.ask(f"start gated w {ledger} w {gate}")
    wait_for(ledger, "begin", "w")
    stopped.signal(signal.SIGSTOP)
    lock.unlink()
    again = wait_for(ledger, "begin", "w", count=2)  # after a while: a missing file is no death at once
    assert again.pid == living.pid
    stopped.signal(signal.SIGCONT)
    gate.touch()
    assert living.ask("result w").split()[0] == str(living.pid)
    del gate_of_the_late
    stopped.say("nothing")
    _, _, errors = stopped.end()
    assert "EngineClosedError" in errors
    assert "lock file" in errors


def test_an_engine_whose_lock_file_is_deleted_stops_within_seconds_and_says_why(
    path: Path, registry: litewf.Registry
) -> None:
    with litewf.Engine(path, registry=registry) as engine:
        [lock] = [file for file in path.parent.iterdir() if "-lock-" in file.name]
        lock.unlink()
        deadline = time.monotonic() + 10
        with pytest.raises(litewf.EngineClosedError, match="lock file"):
            while time.monotonic() < deadline:
                engine.list_workflows()
                time.sleep(0.02)  # until the engine looks at its lock
    assert not [file for file in path.parent.iterdir() if "-lock-" in file.name or file.name.endswith("-wal-")]
