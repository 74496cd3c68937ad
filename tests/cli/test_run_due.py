"""`litewf run-due`: run what is due, then exit, and say when there is more."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import litewf
from tests.cli.cli_process import Cli

PROGRAM = """
import litewf

registry = litewf.Registry()

@registry.workflow(name="greet")
def greet(name):
    return f"hello {hail(name)}"

@registry.workflow(name="hail")
def hail(name):
    return name.upper()

@registry.workflow(name="fail")
def fail():
    raise ValueError("no")

@registry.workflow(name="nap")
def nap(seconds):
    litewf.sleep(seconds)
    return "awake"

@litewf.workflow(name="plain")
def plain():
    return "default registry"

yearly = litewf.Registry()

@litewf.scheduled("0 0 1 1 *")
@yearly.workflow(name="new_year")
def new_year(scheduled_at, actual_at):
    pass

@litewf.scheduled("* * * * * *", name="each second", on_missed="once")
@yearly.workflow(name="tick")
def tick(scheduled_at, actual_at):
    pass
"""


@pytest.fixture
def db(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    with litewf.Engine(tmp_path / "flows.db", registry=litewf.Registry()):
        return tmp_path / "flows.db"


def test_it_runs_what_is_due_and_says_never_if_nothing_is_to_come(cli: Cli, db: Path) -> None:
    with litewf.Client(db) as client:
        ids = [client.enqueue("q", "greet", "anna").workflow_id, client.enqueue("q", "fail").workflow_id]
    done = cli("run-due", "program:registry", "--db", str(db))
    assert (done.returncode, done.stdout) == (0, "never\n"), done.stderr
    with litewf.Client(db) as client:
        assert [client.retrieve_workflow(one).get_status().status for one in ids] == ["SUCCESS", "ERROR"]


def test_what_waits_for_a_time_is_left_and_its_time_is_said(cli: Cli, db: Path) -> None:
    with litewf.Client(db) as client:
        handle = client.enqueue("q", "nap", 86_400)
    done = cli("run-due", "program:registry", "--db", str(db))
    due = datetime.fromisoformat(done.stdout.strip())
    assert timedelta(hours=23) < due - datetime.now(UTC) < timedelta(hours=25)
    with litewf.Client(db) as client:
        assert client.retrieve_workflow(handle.workflow_id).get_status().waiting_on


def test_schedules_of_the_program_are_known_to_the_file_from_the_first_time(cli: Cli, db: Path) -> None:
    done = cli("run-due", "program:yearly", "--db", str(db))
    assert done.returncode == 0, done.stderr
    assert datetime.fromisoformat(done.stdout.strip()) - datetime.now(UTC) < timedelta(seconds=5)
    with litewf.Client(db) as client:
        assert [info.name for info in client.list_schedules()] == ["each second", "new_year"]
        first = client.get_schedule("each second").next_at
    assert first is not None
    while datetime.now(UTC) < first:
        pass  # less than a second, until the tick is due
    assert cli("run-due", "program:yearly", "--db", str(db)).returncode == 0
    with litewf.Client(db) as client:
        assert len(client.list_workflows(name="tick", status="SUCCESS")) >= 1


def test_a_module_alone_means_the_default_registry(cli: Cli, db: Path) -> None:
    with litewf.Client(db) as client:
        handle = client.enqueue("q", "plain")
    assert cli("run-due", "program", "--db", str(db)).returncode == 0
    with litewf.Client(db) as client:
        assert client.retrieve_workflow(handle.workflow_id).get_status().output == "default registry"


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("nowhere", "no module 'nowhere'"),
        ("nowhere.at.all", "no module"),
        ("program:gone", "has no 'gone'"),
        ("program:plain", "not a litewf.Registry"),
        ("", "does not name a module"),
        ("program:", "has no ''"),
    ],
)
def test_a_program_that_is_not_there_is_a_usage_error(cli: Cli, db: Path, program: str, what: str) -> None:
    done = cli("run-due", program, "--db", str(db))
    assert done.returncode == 2
    assert what in " ".join(done.stderr.split())


FAILING = {
    "import what_is_not_there": "ModuleNotFoundError: No module named 'what_is_not_there'",
    "def oops():\n    raise RuntimeError('too early')\noops()": "RuntimeError: too early",
    "def oops(:": "SyntaxError: invalid syntax (broken.py, line 1)",
}


@pytest.mark.parametrize("code", FAILING, ids=["import", "error", "syntax"])
def test_a_module_that_fails_shows_its_own_lines_and_none_of_ours(cli: Cli, db: Path, code: str) -> None:
    (db.parent / "broken.py").write_text(code)
    done = cli("run-due", "broken", "--db", str(db))
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert lines[-1] == f"litewf: module 'broken' cannot be imported: {FAILING[code]}"
    assert any('broken.py", line' in line for line in lines)
    assert "typer" not in done.stderr
    assert "importlib" not in done.stderr


def test_a_file_in_the_place_of_a_module_is_a_usage_error(cli: Cli, db: Path) -> None:
    done = cli("run-due", "program.py", "--db", str(db))
    assert (done.returncode, done.stderr) == (
        2, "litewf: MODULE[:REGISTRY]: 'program.py' is a file; name the module: program (see litewf run-due --help)\n"
    )  # fmt: skip


def test_a_file_that_cannot_be_opened_is_told_in_one_line(cli: Cli, db: Path, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database, but long enough to be looked at" * 20)
    done = cli("run-due", "program", "--db", str(tmp_path / "text.db"))
    assert done.returncode == 5
    assert done.stderr.startswith("litewf: ")
    assert len(done.stderr.splitlines()) == 1
