"""A workflow that kills its process is given up after a while, and delays nobody else."""

import signal
from pathlib import Path

import program
import pytest
from children import Child, Spawn

import litewf

RUN = """
import program
ledger = sys.argv[1] + ".ledger"
with litewf.Engine(path, registry=program.registry, linger=0) as engine:
    try:
        say(engine.retrieve_workflow("w").get_result(timeout=20))
    except litewf.LitewfError as error:
        say(type(error).__name__)
"""


@pytest.fixture
def ledger(path: Path) -> Path:
    return Path(f"{path}.ledger")


def start(path: Path, workflow: object, *args: object) -> None:
    """Enter the workflow into the file without running it."""
    idle = litewf.Engine(path, registry=program.registry, application_version="1", executor_id="idle")
    with idle:
        idle.start_workflow(
            workflow.with_options(workflow_id="w", application_version="later"),  # type: ignore[attr-defined]
            *args,
        )


def run_until_it_ends(spawn: Spawn) -> tuple[int, str]:
    """Launch processes until one survives; how many died, and what the last one said."""
    deaths = 0
    while True:
        status, output, _ = spawn(RUN).end()  # dead, perhaps, before its main thread has the launch behind it
        if status == 0:
            return deaths, output.strip()
        assert status == -signal.SIGKILL
        deaths += 1


def test_it_is_given_up_after_its_attempts(spawn: Spawn, path: Path, ledger: Path) -> None:
    start(path, program.deadly, str(ledger), "w")
    assert run_until_it_ends(spawn) == (3, "MaxRecoveryAttemptsExceededError")  # a first run and two recoveries
    with litewf.Engine(path, registry=program.registry) as engine:
        status = engine.retrieve_workflow("w").get_status()
        assert status.status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
        with pytest.raises(litewf.MaxRecoveryAttemptsExceededError, match="resume_workflow"):
            engine.retrieve_workflow("w").get_result()


def test_resuming_it_gives_it_all_its_attempts_again(spawn: Spawn, path: Path, ledger: Path) -> None:
    start(path, program.deadly, str(ledger), "w")
    run_until_it_ends(spawn)
    with litewf.Engine(path, registry=litewf.Registry()) as engine:
        engine.resume_workflow("w")
    assert run_until_it_ends(spawn) == (3, "MaxRecoveryAttemptsExceededError")
    Path(f"{ledger}.harmless").touch()
    with litewf.Engine(path, registry=program.registry) as engine:
        engine.resume_workflow("w")
        assert engine.retrieve_workflow("w").get_result(timeout=20) == "survived"


def test_a_death_after_progress_begins_the_count_anew(spawn: Spawn, path: Path, ledger: Path) -> None:
    start(path, program.deadly_but_moving, str(ledger), "w", 5)
    assert run_until_it_ends(spawn) == (5, "survived")


def test_others_go_on_while_one_keeps_killing_the_process(spawn: Spawn, path: Path, ledger: Path) -> None:
    start(path, program.deadly, str(ledger), "w")
    with litewf.Engine(path, registry=litewf.Registry()) as engine:
        engine.list_workflows()
    living = spawn(
        "import program\n"
        "program.registry.workflows.pop('deadly')\n"
        "with litewf.Engine(path, registry=program.registry) as engine:\n"
        "    say('up')\n"
        "    hear()\n"
        "    say(engine.start_workflow(program.chain, path + '.ledger', 'c', 3, 0).get_result(timeout=20))\n"
    )
    assert living.hear() == "up"
    assert run_until_it_ends(spawn)[1] == "MaxRecoveryAttemptsExceededError"
    assert living.ask("go") == "c"


def test_processes_that_end_in_order_do_not_count(spawn: Spawn, path: Path, ledger: Path) -> None:
    del ledger
    for _ in range(4):
        child = Child("import program\nlitewf.Engine(path, registry=program.registry).launch()\nsay('up')\n", path)
        child.end()
        with litewf.Engine(path, registry=program.registry, linger=0) as engine:
            engine.start_workflow(program.asleep.with_options(workflow_id="w"), 3600.0)
            engine.wait_until_idle(20)  # parked, so that the next process has nothing in hand when it ends
    with litewf.Engine(path, registry=program.registry) as engine:
        assert engine.retrieve_workflow("w").get_status().attempts == 1
