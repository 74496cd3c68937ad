"""Files that are missing, damaged, too new, locked or not ours: one line, the right exit status, never a traceback."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import litewf
from litewf.store.migrate import migrations
from tests.cli.cli_process import Cli
from tests.cli.live import Here, older_file

READING = [("list",), ("show", "w-1"), ("versions",), ("doctor",)]
WRITING = [
    ("result", "w-1"), ("event", "w-1"), ("stream", "w-1", "log"), ("start", "greet"), ("enqueue", "q", "greet"),
    ("send", "w-1", "hi"), ("publish", "paid", "1"), ("cancel", "w-1"), ("resume", "w-1"), ("rewind", "w-1"),
    ("fork", "w-1"), ("delete", "w-1"), ("queues", "list"), ("schedules", "list"), ("backup", "copy.db"),
    ("prune", "--older-than", "1d"), ("export", "w-1"), ("check-upgrade", "litewf"), ("queues", "pause", "q"),
    ("schedules", "trigger", "s"),
]  # fmt: skip
RUNNING = [("run", "litewf"), ("run-due", "litewf"), ("serve", "litewf", "--port", "0")]  # these make a missing file
COMMANDS = READING + WRITING
EACH = pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
EVERY = pytest.mark.parametrize("command", COMMANDS + RUNNING, ids=" ".join)


@pytest.fixture
def db(path: Path, registry: litewf.Registry) -> Path:
    with litewf.Engine(path, registry=registry):
        return path


def is_one_line(here: Here, status: int, command: tuple[str, ...], db: Path) -> str:
    done = here(*command, "--db", db)
    assert (done.status, done.out, len(done.err.splitlines())) == (status, "", 1), done
    assert done.err.startswith("litewf: ")
    return done.err


@EACH
def test_a_missing_file(here: Here, tmp_path: Path, command: tuple[str, ...]) -> None:
    assert "there is no file" in is_one_line(here, 5, command, tmp_path / "gone.db")
    assert list(tmp_path.iterdir()) == []


@EVERY
def test_a_file_that_is_no_database(here: Here, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "text.db").write_text("plain text, and enough of it to be looked at\n" * 20)
    assert "is not a SQLite database" in is_one_line(here, 5, command, tmp_path / "text.db")


@EVERY
def test_a_file_of_a_newer_litewf_is_left_as_it_is(here: Here, db: Path, command: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "written by a newer litewf (schema 99" in is_one_line(here, 5, command, db)


@pytest.mark.parametrize("command", [("list",), ("show", "w-1"), ("start", "greet")], ids=["list", "show", "start"])
def test_a_file_of_another_program(here: Here, tmp_path: Path, command: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        connection.execute("PRAGMA application_id = 77")
    assert "belongs to another program" in is_one_line(here, 5, command, tmp_path / "other.db")


@EVERY
def test_a_directory(here: Here, tmp_path: Path, command: tuple[str, ...]) -> None:
    assert "is a directory" in is_one_line(here, 5, command, tmp_path)


def test_a_worker_that_cannot_start_leaves_its_process_as_it_was(here: Here, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), sys.getswitchinterval()
    is_one_line(here, 5, ("run", "litewf"), tmp_path)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT), sys.getswitchinterval()) == before


@pytest.mark.parametrize("command", READING[:2], ids=["list", "show"])
def test_a_file_that_nobody_has_used_yet(here: Here, tmp_path: Path, command: tuple[str, ...]) -> None:
    with closing(sqlite3.connect(tmp_path / "plain.db")) as connection:
        connection.execute("CREATE TABLE mine (x)")
    assert "holds no workflows yet" in is_one_line(here, 5, command, tmp_path / "plain.db")


@pytest.mark.parametrize("command", [("list",), ("show", "w-1"), ("send", "w-1", "x")], ids=["list", "show", "send"])
def test_damage_inside(here: Here, path: Path, registry: litewf.Registry, command: tuple[str, ...]) -> None:
    registry.workflow(name="greet")(lambda: None)
    with litewf.Engine(path, registry=registry):
        pass
    with closing(sqlite3.connect(path)) as connection:
        [(page,)] = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'workflow'")
        [(size,)] = connection.execute("PRAGMA page_size")
        [(index,)] = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_workflow_1'")
    content = bytearray(path.read_bytes())
    for root in (page, index):
        content[(root - 1) * size : root * size] = b"\xa5" * size
    path.write_bytes(content)
    assert "restore a backup" in is_one_line(here, 5, command, path)


@pytest.mark.parametrize("version", [1, len(migrations()) - 1], ids=["first", "last"])
def test_the_file_of_an_older_litewf_is_brought_up_to_date(here: Here, tmp_path: Path, version: int) -> None:
    older_file(tmp_path / "old.db", version)
    assert here("list", "--json", "--db", tmp_path / "old.db") == (0, "[]\n", "")
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchall() == [(len(migrations()),)]


def test_text_that_steers_terminals_is_shown_without_that(here: Here, shop: Path) -> None:
    done = here("start", "fail", '"\\u001b[2J\\u202ered"', "--id", "t-1", "--wait", "--timeout", "30s", "--db", shop)
    assert done.status == 1
    listed = here("list", "--prefix", "t-1", "--db", shop).out
    assert "\x1b" not in done.err + listed
    assert "\u202e" not in done.err + listed


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_times_at_the_ends_of_the_calendar_are_shown_wherever_the_sun_stands(
    here: Here, path: Path, registry: litewf.Registry, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    greet = registry.workflow(name="greet")(lambda: None)
    with litewf.Engine(path, registry=registry) as engine:
        engine.run_workflow(greet.with_options(workflow_id="w-1"))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE workflow SET created_us = -9e18, completed_us = 9e18")
        connection.commit()
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        done = [here(*command, "--db", path) for command in READING[:2]]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert [(one.status, one.err) for one in done] == [(0, ""), (0, "")]
    assert "1-01-01" in done[1].out
    assert "9999-12-31" in done[1].out


LOCKED = """
import sqlite3, sys
connection = sqlite3.connect({db!r}, isolation_level=None)
for statement in {statements!r}:
    connection.execute(statement)
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def locked(db: Path) -> Iterator[Callable[..., Path]]:
    """Let another process lock the file in some way, for as long as the test runs."""
    running = []

    def lock(*statements: str) -> Path:
        code = LOCKED.format(db=str(db), statements=statements)
        process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        return db

    yield lock
    for process in running:
        process.communicate()


def test_who_only_looks_does_not_mind_a_writer(cli: Cli, locked: Callable[..., Path]) -> None:
    done = cli("list", "--db", str(locked("BEGIN IMMEDIATE")))
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.nightly  # 12 s for each: as long as litewf waits before it gives up
@pytest.mark.parametrize(
    ("command", "statements"),
    [
        (("start", "greet"), ("BEGIN IMMEDIATE",)),
        (("list",), ("PRAGMA locking_mode = EXCLUSIVE", "BEGIN IMMEDIATE", "CREATE TABLE theirs (x)", "COMMIT")),
    ],
    ids=["writer", "exclusive"],
)
def test_a_locked_file_is_to_be_tried_again(
    cli: Cli, locked: Callable[..., Path], command: tuple[str, ...], statements: tuple[str, ...]
) -> None:
    done = cli(*command, "--db", str(locked(*statements)))
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (6, "", 1), done.stderr
    assert "another program has kept it locked" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("show", "\udcff"), ("result", "\udcff"), ("event", "\udcff"), ("event", "w-1", "\udcff"), ("send", "\udcff", "x"),
        ("send", "w-1", "\udcff"), ("send", "w-1", "x", "--topic", "\udcff"), ("stream", "w-1", "\udcff"),
        ("cancel", "\udcff"), ("start", "\udcff"), ("start", "greet", "--id", "\udcff"),
        ("enqueue", "\udcff", "greet"), ("publish", "\udcff", "1"), ("list", "--name", "\udcff"),
        ("list", "--attribute", "\udcff=1"), ("queues", "create", "\udcff"), ("schedules", "show", "\udcff"),
    ],
    ids=ascii,
)  # fmt: skip
def test_arguments_that_are_no_text_are_refused(here: Here, db: Path, command: tuple[str, ...]) -> None:
    done = here(*command, "--db", db)
    assert done.status in (2, 3, 5), done
    assert len(done.err.splitlines()) in (1, 4)
