"""A forked child cannot use the engine that it inherited, and cannot harm it, however it ends."""

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import program
import pytest
from children import Spawn

import litewf

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),  # it is what is tested
]


def in_child(body: Callable[[], object]) -> str:
    """What `body` returned or raised in a forked child, as text."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = str(body())
        except BaseException as error:  # the child must not go on with the tests
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read().decode()
    os.waitpid(pid, 0)
    return answer


def integrity(path: Path) -> object:
    connection = apsw.Connection(str(path))
    try:
        return connection.pragma("integrity_check")
    finally:
        connection.close()


@pytest.fixture
def flow(registry: litewf.Registry) -> litewf.Workflow[[int], int]:
    @registry.step
    def double(number: int) -> int:
        return 2 * number

    @registry.workflow
    def flow(number: int) -> int:
        return double(number) + double(number)

    return flow


USES: dict[str, Callable[[litewf.Engine, litewf.Workflow[[int], int]], object]] = {
    "start": lambda engine, flow: engine.start_workflow(flow, 1),
    "run": lambda engine, flow: engine.run_workflow(flow, 1),
    "list": lambda engine, _: engine.list_workflows(),
    "result": lambda engine, _: engine.retrieve_workflow("w").get_result(),
    "cancel": lambda engine, _: engine.cancel_workflow("w"),
    "transact": lambda engine, _: engine.transact(lambda connection: connection.execute("SELECT 1")),
    "query": lambda engine, _: engine.query("SELECT 1"),
    "backup": lambda engine, _: engine.backup("/nowhere/backup.db"),
    "launch": lambda engine, _: engine.launch(),
}


@pytest.mark.parametrize("use", USES)
def test_a11__the_child_gets_a_clear_error_before_anything_is_touched(
    engine: litewf.Engine, flow: litewf.Workflow[[int], int], use: str
) -> None:
    assert engine.start_workflow(flow.with_options(workflow_id="w"), 1).get_result() == 4
    answer = in_child(lambda: USES[use](engine, flow))
    assert "fork" in answer
    assert "spawn" in answer
    assert [workflow.workflow_id for workflow in engine.list_workflows()] == ["w"]
    assert engine.run_workflow(flow, 2) == 8


def test_a_new_engine_on_the_same_file_in_the_child_is_refused(
    engine: litewf.Engine, registry: litewf.Registry, path: Path, flow: litewf.Workflow[[int], int]
) -> None:
    """Corruption after fork: SQLite in the child believes in locks that only the parent has."""
    answer = in_child(lambda: litewf.Engine(path, registry=registry).launch())
    assert "fork" in answer
    assert "spawn" in answer
    assert engine.run_workflow(flow, 1) == 4


def test_a_new_engine_on_another_file_in_the_child_is_refused_too(
    engine: litewf.Engine, registry: litewf.Registry, tmp_path: Path, flow: litewf.Workflow[[int], int]
) -> None:
    """A thread of the parent may have held one of SQLite's own locks at the fork: the child would wait for ever."""
    answer = in_child(lambda: litewf.Engine(tmp_path / "other.db", registry=registry).launch())
    assert "fork" in answer
    assert "spawn" in answer
    assert not (tmp_path / "other.db").exists()
    assert engine.run_workflow(flow, 1) == 4


def test_an_engine_that_was_shut_down_before_the_fork_can_be_launched_in_the_child(
    registry: litewf.Registry, path: Path, flow: litewf.Workflow[[int], int]
) -> None:
    with litewf.Engine(path, registry=registry):
        pass

    def use() -> int:
        with litewf.Engine(path, registry=registry) as engine:
            return engine.run_workflow(flow, 3)

    assert in_child(use) == "12"


def test_the_ids_of_an_engine_that_is_launched_in_two_forks_are_random_in_each(
    path: Path, registry: litewf.Registry, flow: litewf.Workflow[[int], int]
) -> None:
    engine = litewf.Engine(path, registry=registry)

    def ids() -> str:
        with engine:
            return " ".join(engine.start_workflow(flow, n).workflow_id[-12:] for n in range(3))  # without the time

    drawn = " ".join([ids(), in_child(ids), in_child(ids)]).split()
    assert len(set(drawn)) == len(drawn) == 9


def test_shutting_the_inherited_engine_down_in_the_child_does_nothing(
    engine: litewf.Engine, path: Path, flow: litewf.Workflow[[int], int]
) -> None:
    before = {file.name for file in path.parent.iterdir()}
    assert in_child(lambda: engine.shutdown(timeout=1)) == "None"
    assert {file.name for file in path.parent.iterdir()} == before
    assert engine.run_workflow(flow, 1) == 4


def test_many_forks_in_the_midst_of_work_never_hang_and_never_harm_the_parent(
    engine: litewf.Engine, path: Path, flow: litewf.Workflow[[int], int]
) -> None:
    """At any moment some thread holds some lock; the child must not wait for it."""
    stop = threading.Event()
    results: list[int] = []

    def keep_working() -> None:
        while not stop.is_set():
            results.append(engine.run_workflow(flow, 1))

    threads = [threading.Thread(target=keep_working) for _ in range(3)]
    for thread in threads:
        thread.start()
    answers = {in_child(lambda: engine.start_workflow(flow, 1)) for _ in range(25)}
    answers |= {in_child(engine.list_workflows) for _ in range(25)}
    stop.set()
    for thread in threads:
        thread.join(20)
    assert all("fork" in answer for answer in answers)
    assert set(results) == {4}
    assert integrity(path) == "ok"


ENDS = """
import program
with litewf.Engine(path, registry=program.registry) as engine:
    handles = [engine.start_workflow(program.chain, path + ".ledger", str(n), 20, 0.001) for n in range(8)]
    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            END
        status = os.waitpid(pid, 0)[1]
        say("child", os.waitstatus_to_exitcode(status))
    for handle in handles:
        handle.get_result(timeout=30)
"""


@pytest.mark.parametrize(
    "end",
    ["os._exit(0)", "sys.exit(0)", "raise SystemExit(0)", "engine.shutdown(); sys.exit(0)", "os.kill(os.getpid(), 9)"],
)
def test_the_parent_is_unharmed_however_the_child_ends(spawn: Spawn, end: str, path: Path) -> None:
    parent = spawn(ENDS.replace("END", end))
    status, output, errors = parent.end(timeout=30)
    expected = -9 if "kill" in end else 0
    assert output.splitlines() == [f"child {expected}"] * 5, errors
    assert status == 0
    assert integrity(path) == "ok"


def test_a_child_that_lives_on_does_not_keep_the_lock_of_a_parent_that_died(spawn: Spawn, path: Path) -> None:
    parent = spawn(
        "import program\n"
        "engine = litewf.Engine(path, registry=program.registry); engine.launch()\n"
        "engine.start_workflow(program.until and program.gated.with_options(workflow_id='w'), path + '.ledger', 'w', path + '.gate')\n"
        "while not os.path.exists(path + '.ledger'): time.sleep(0.002)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os.close(1); os.close(2); time.sleep(60); os._exit(0)\n"
        "say(pid)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    child = int(parent.hear())
    parent.popen.wait()
    Path(f"{path}.gate").touch()
    try:
        with litewf.Engine(path, registry=program.registry) as engine:
            assert engine.retrieve_workflow("w").get_result(timeout=20) == os.getpid()
    finally:
        os.kill(child, 9)


def use_in_worker(path: Path) -> str:
    try:
        with litewf.Engine(path, registry=program.registry) as engine:
            return engine.run_workflow(program.asleep, 0.0)
    except litewf.LitewfError as error:
        return str(error)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_that_are_spawned_share_the_file(path: Path, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(Path(__file__).parent), *sys.path])
    context = multiprocessing.get_context(method)
    with litewf.Engine(path, registry=program.registry) as engine:
        with context.Pool(2) as pool:
            assert pool.map(use_in_worker, [path] * 4) == ["awake"] * 4
        assert engine.run_workflow(program.asleep, 0.0) == "awake"


def test_workers_that_are_forked_are_refused_with_the_advice_to_spawn(path: Path) -> None:
    context = multiprocessing.get_context("fork")
    with litewf.Engine(path, registry=program.registry) as engine:
        with context.Pool(2) as pool:
            assert all("spawn" in answer for answer in pool.map(use_in_worker, [path] * 4))
        assert engine.run_workflow(program.asleep, 0.0) == "awake"


def test_a_step_may_fork_workers_that_leave_the_engine_alone(engine: litewf.Engine, registry: litewf.Registry) -> None:
    @registry.step
    def compute() -> list[int]:
        with multiprocessing.get_context("fork").Pool(2) as pool:
            return pool.map(abs, [-1, -2, 3])

    @registry.workflow
    def flow() -> list[int]:
        return compute() + compute()

    assert engine.run_workflow(flow) == [1, 2, 3, 1, 2, 3]
