"""Several engine processes on one file: each body runs in one of them, and no launch disturbs another."""

import collections
import signal
import time
from pathlib import Path

import program
import pytest
from children import Spawn

import litewf

RUN = """
import program
ledger = sys.argv[1] + ".ledger"
with litewf.Engine(path, registry=program.registry) as engine:
    say("up")
    name = hear()
    handles = [engine.start_workflow(program.chain, ledger, f"{name}.{n}", 5, 0.002) for n in range(10)]
    for handle in handles:
        handle.get_result(timeout=30)
    say("done")
    hear()
"""
ENGINE = """
import program
with litewf.Engine(path, registry=program.registry) as engine:
    say("up")
    while (line := hear()):
        what, *words = line.split()
        if what == "start":
            engine.start_workflow(getattr(program, words[0]).with_options(workflow_id=words[1]), *words[2:])
            say("started")
        elif what == "result":
            say(engine.retrieve_workflow(words[0]).get_result(timeout=30), time.monotonic_ns())
        elif what == "cancel":
            engine.cancel_workflow(words[0])
            say("cancelled", time.monotonic_ns())
        elif what == "start-float":
            engine.start_workflow(getattr(program, words[0]).with_options(workflow_id=words[1]), float(words[2]))
            say("started")
        else:
            handle = engine.start_workflow(program.asleep, 0.0)
            say(handle.get_result(timeout=30))
"""


@pytest.fixture
def ledger(path: Path) -> Path:
    return Path(f"{path}.ledger")


def wait_for(ledger: Path, what: str, name: str, *, count: int = 1, seconds: float = 20) -> program.Line:
    """The line of the ledger, as soon as it is there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = [line for line in program.read(ledger) if (line.what, line.name) == (what, name)]
        if len(found) >= count:
            return found[count - 1]
        time.sleep(0.002)  # the ledger is a file that other processes write
    raise AssertionError(f"{what} {name} never came: {program.read(ledger)}")


def assert_once_each(ledger: Path) -> None:
    """Every body began once, and ended."""
    lines = program.read(ledger)
    begun = collections.Counter((line.name, line.step) for line in lines if line.what == "begin")
    ended = collections.Counter((line.name, line.step) for line in lines if line.what == "end")
    assert [body for body, times in begun.items() if times > 1] == []
    assert begun == ended


@pytest.mark.parametrize("processes", [2, 4])
def test_no_step_ever_runs_in_two_processes(spawn: Spawn, ledger: Path, processes: int) -> None:
    """A10, for engines that share a file: each workflow is in one of them at a time.

    The engines are launched one after the other while those before are at work.
    """
    children = []
    for number in range(processes):
        children.append(spawn(RUN))
        assert children[-1].hear() == "up"
        children[-1].say(str(number))
    for child in children:
        assert child.hear() == "done"
    assert len(program.read(ledger)) == processes * 10 * 5 * 2
    assert_once_each(ledger)


def test_a_running_step_is_not_run_again_when_a_second_process_launches(
    spawn: Spawn, ledger: Path, tmp_path: Path
) -> None:
    """One step at once in two processes: what another engine does on SQLite."""
    gate = tmp_path / "gate"
    first = spawn(ENGINE)
    first.hear()
    first.ask(f"start gated w {ledger} w {gate}")
    wait_for(ledger, "begin", "w")
    for _ in range(3):
        second = spawn(ENGINE)
        second.hear()
        assert second.ask("nothing") == "awake"
        second.end()
    gate.touch()
    assert first.ask("result w").split()[0] == str(first.pid)
    assert_once_each(ledger)


def test_work_of_a_killed_process_goes_on_in_a_living_one_at_once(spawn: Spawn, ledger: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    living, doomed = spawn(ENGINE), spawn(ENGINE)
    living.hear()
    doomed.hear()
    doomed.ask(f"start gated w {ledger} w {gate}")
    wait_for(ledger, "begin", "w")
    killed_ns = time.monotonic_ns()
    doomed.kill()
    again = wait_for(ledger, "begin", "w", count=2)
    gate.touch()
    assert again.pid == living.pid
    assert (again.at_ns - killed_ns) / 1e9 < 1.0  # half a second when the machine is quiet
    assert living.ask("result w").split()[0] == str(living.pid)


def test_work_of_a_killed_process_goes_on_at_the_next_launch(
    spawn: Spawn, ledger: Path, tmp_path: Path, path: Path
) -> None:
    gate = tmp_path / "gate"
    doomed = spawn(ENGINE)
    doomed.hear()
    doomed.ask(f"start gated w {ledger} w {gate}")
    wait_for(ledger, "begin", "w")
    doomed.kill()
    with litewf.Engine(path, registry=program.registry) as engine:
        wait_for(ledger, "begin", "w", count=2)
        gate.touch()
        engine.retrieve_workflow("w").get_result(timeout=20)
        assert engine.retrieve_workflow("w").get_status().attempts == 2


def test_lease_expiry__a_process_that_is_stopped_for_long_is_never_taken_over(
    spawn: Spawn, ledger: Path, tmp_path: Path
) -> None:
    """A laptop that sleeps, or a step that is longer than any lease: the lock ends with the process, and only so."""
    gate = tmp_path / "gate"
    asleep, awake = spawn(ENGINE), spawn(ENGINE)
    asleep.hear()
    awake.hear()
    asleep.ask(f"start gated w {ledger} w {gate}")
    wait_for(ledger, "begin", "w")
    asleep.signal(signal.SIGSTOP)
    for _ in range(8):  # eight looks at its lock file at least
        assert awake.ask("nothing") == "awake"
        time.sleep(0.25)  # between two looks of the other process
    asleep.signal(signal.SIGCONT)
    gate.touch()
    assert awake.ask("result w").split()[0] == str(asleep.pid)
    assert_once_each(ledger)


def test_a_clean_shutdown_hands_work_over_without_counting_a_recovery(spawn: Spawn, path: Path) -> None:
    first = spawn(ENGINE)
    first.hear()
    first.ask("start-float asleep w 0.3")
    first.end()
    with litewf.Engine(path, registry=program.registry) as engine:
        handle = engine.retrieve_workflow("w")
        assert handle.get_result(timeout=20) == "awake"
        assert handle.get_status().attempts == 1


def test_an_id_that_is_started_in_many_processes_at_once_runs_once(spawn: Spawn, ledger: Path) -> None:
    """Same id started concurrently: one workflow, and the same result for everyone."""
    children = [spawn(ENGINE) for _ in range(4)]
    for child in children:
        assert child.hear() == "up"
    for child in children:
        child.say(f"start gated w {ledger} w {ledger}")  # the gate is open as soon as there is a ledger
    for child in children:
        assert child.hear() == "started"
    for child in children:
        child.say("result w")
    assert len({child.hear().split()[0] for child in children}) == 1
    assert_once_each(ledger)


def test_an_end_in_one_process_wakes_those_who_wait_in_another(spawn: Spawn, ledger: Path, tmp_path: Path) -> None:
    runs, waits = spawn(ENGINE), spawn(ENGINE)
    runs.hear()
    waits.hear()
    delays = []
    for number in range(15):
        gate = tmp_path / f"gate{number}"
        runs.ask(f"start gated w{number} {ledger} w{number} {gate}")
        wait_for(ledger, "begin", f"w{number}")
        waits.say(f"result w{number}")
        gate.touch()
        woken_ns = int(waits.hear().split()[1])
        delays.append((woken_ns - wait_for(ledger, "end", f"w{number}").at_ns) / 1e6)
    delays.sort()
    print(f"p50 {delays[7]:.1f} ms, longest {delays[-1]:.1f} ms")
    assert delays[7] < 200
    assert delays[-1] < 1000


def test_an_end_in_one_process_wakes_a_parked_workflow_in_another(
    spawn: Spawn, ledger: Path, tmp_path: Path, path: Path
) -> None:
    gate = tmp_path / "gate"
    runs = spawn(ENGINE)
    runs.hear()
    runs.ask(f"start gated w {ledger} w {gate}")
    wait_for(ledger, "begin", "w")
    with litewf.Engine(path, registry=program.registry, linger=0) as engine:
        parked = engine.start_workflow(program.waiter, "w")
        while not parked.get_status().waiting_on:
            time.sleep(0.002)  # until a row says so
        gate.touch()
        assert parked.get_result(timeout=20) == runs.pid


def test_a_cancel_in_one_process_stops_the_execution_in_another(spawn: Spawn, ledger: Path, path: Path) -> None:
    runs = spawn(ENGINE)
    runs.hear()
    runs.ask(f"start endless w {ledger} w")
    wait_for(ledger, "begin", "w", count=5)
    with litewf.Engine(path, registry=litewf.Registry()) as engine:
        engine.cancel_workflow("w")
        cancelled_ns = time.monotonic_ns()
        assert runs.ask("nothing") == "awake"
        while (status := engine.retrieve_workflow("w").get_status()).executor_id is not None:
            time.sleep(0.005)  # until another process lets go
        assert status.status == "CANCELLED"
    last = program.read(ledger)[-1]
    assert (last.at_ns - cancelled_ns) / 1e9 < 0.5
    assert_once_each(ledger)


def test_a_cancel_is_noticed_by_a_process_whose_writer_is_never_idle(spawn: Spawn, ledger: Path, path: Path) -> None:
    """Whoever only looks for foreign commits when nothing else is to be written never sees one."""
    runs = spawn(ENGINE)
    runs.hear()
    for number in range(40):
        runs.ask(f"start endless busy{number} {ledger} busy{number}")
    wait_for(ledger, "begin", "busy39")
    with litewf.Engine(path, registry=litewf.Registry()) as engine:
        for number in range(40):
            engine.cancel_workflow(f"busy{number}")
        began = time.monotonic()
        while any(status.executor_id for status in engine.list_workflows(status="CANCELLED")):
            assert time.monotonic() - began < 5
            time.sleep(0.01)  # until another process lets go


def test_lock_files_that_no_engine_owns_are_swept_at_launch(path: Path, spawn: Spawn) -> None:
    living = spawn(ENGINE)
    living.hear()
    orphans = [path.with_name(f"{path.name}-lock-{name}") for name in ("1-dead", "2-dead")]
    for orphan in orphans:
        orphan.touch()
    stranger = path.with_name("other.db-lock-1")
    stranger.touch()
    with litewf.Engine(path, registry=program.registry) as engine:
        engine.run_workflow(program.asleep, 0.0)
        deadline = time.monotonic() + 10
        while any(orphan.exists() for orphan in orphans):
            assert time.monotonic() < deadline
            time.sleep(0.01)  # until the sweep has come by
    assert stranger.exists()
    assert living.ask("nothing") == "awake"
    living.end()
    assert not [file for file in path.parent.iterdir() if file.name.startswith(f"{path.name}-lock-")]


ONE_WORKFLOW = """
registry = litewf.Registry()

@registry.workflow(name=NAME)
def flow(seconds: float) -> str:
    litewf.sleep(seconds)
    litewf.sleep(seconds)
    return NAME

with litewf.Engine(path, registry=registry, linger=0, application_version=VERSION, recover=RECOVER) as engine:
    say("up")
    hear()
    handles = [engine.start_workflow(flow, 0.02) for _ in range(20)]
    say(*{handle.get_result(timeout=30) for handle in handles})
    hear()
"""


@pytest.mark.parametrize(
    "programs",
    [
        [("one", "1", "compatible"), ("other", "1", "compatible")],
        [("same", "1", "matching"), ("same", "2", "matching")],
        [("same", "1", "compatible"), ("other", "2", "matching")],
    ],
    ids=["other code", "other version", "both"],
)
def test_an_engine_leaves_to_others_what_it_cannot_run_itself(
    spawn: Spawn, programs: list[tuple[str, str, str]]
) -> None:
    """Held for a moment by a program without the code, it would fail those who wait for its result."""
    children = [
        spawn(
            ONE_WORKFLOW.replace("NAME", repr(name)).replace("VERSION", repr(version)).replace("RECOVER", repr(recover))
        )
        for name, version, recover in programs
    ]
    for child in children:
        assert child.hear() == "up"
    for child in children:
        child.say()
    assert [child.hear() for child in children] == [name for name, _, _ in programs]


def test_what_nobody_living_can_run_is_held_as_soon_as_the_last_who_could_has_gone(spawn: Spawn, path: Path) -> None:
    able = spawn(ENGINE)
    able.hear()
    with litewf.Engine(path, registry=litewf.Registry(), application_version="1", recover="compatible") as engine:
        able.ask("start-float asleep w 3600")
        handle = engine.retrieve_workflow("w")
        able.end()
        engine.cancel_workflow("w")
        engine.resume_workflow("w")  # ready for anyone
        with pytest.raises(litewf.WorkflowHeldError, match="no workflow named 'asleep'"):
            handle.get_result(timeout=20)
    with litewf.Engine(
        path, registry=program.registry, application_version="2", recover="compatible", linger=0
    ) as engine:
        while not engine.retrieve_workflow("w").get_status().waiting_on:
            time.sleep(0.005)  # until a row says so


def test_a_workflow_that_is_defined_after_the_launch_is_left_to_its_engine_too(
    path: Path, registry: litewf.Registry
) -> None:
    with (
        litewf.Engine(path, registry=litewf.Registry()) as other,
        litewf.Engine(path, registry=registry, linger=0) as engine,
    ):

        @registry.workflow
        def late() -> str:
            litewf.sleep(0.001)
            return "late"

        deadline = time.monotonic() + 20
        while other.query("SELECT 1 FROM executor WHERE names LIKE '%late%'") == []:
            assert time.monotonic() < deadline
            time.sleep(0.02)  # until the row says so
        assert [engine.run_workflow(late) for _ in range(10)] == ["late"] * 10
