"""`litewf check-upgrade`: a program is asked, in a process of its own, whether it can go on with the runs of a file."""

import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import litewf
from tests.cli.cli_process import Cli
from tests.cli.live import older_file

OLD = """
import litewf

registry = litewf.Registry()

@registry.step(name="charge")
def charge(order):
    open("bodies", "a").write("charge ")

@registry.step(name="ship")
def ship(order):
    open("bodies", "a").write("ship ")

@registry.workflow(name="checkout")
def checkout(order):
    charge(order)
    ship(order)
    litewf.recv("paid")

@registry.workflow(name="report")
async def report():
    await litewf.recv_async("go")
"""
FIRST = "    charge(order)\n"


@pytest.fixture
def db(path: Path, tmp_path: Path) -> Path:
    """The file of a shop with three unfinished workflows, at rest."""
    (tmp_path / "shop.py").write_text(OLD.replace("recv", "sleep").replace('"paid"', "1e9").replace('"go"', "1e9"))
    namespace: dict = {"open": lambda *_: io.StringIO()}  # here its steps run, and leave no trace
    exec((tmp_path / "shop.py").read_text(), namespace)
    with litewf.Engine(path, registry=namespace["registry"], linger=0) as engine:
        for number in (1, 2):
            engine.start_workflow(namespace["checkout"].with_options(workflow_id=f"order-{number}"), {"sku": number})
        engine.start_workflow(namespace["report"].with_options(workflow_id="daily"))
        engine.wait_until_idle()
    return path


def change(db: Path, old: str, new: str) -> None:
    """Deploy another program."""
    program = db.parent / "shop.py"
    assert old in program.read_text()
    program.write_text(program.read_text().replace(old, new))


def test_the_program_that_made_the_runs_can_go_on_with_them(cli: Cli, db: Path) -> None:
    image = db.read_bytes()
    done = cli("check-upgrade", "shop:registry", "--db", str(db))
    assert (done.returncode, done.stderr) == (0, "3 matches\n")
    heading, *rows = (line.split(maxsplit=4) for line in done.stdout.splitlines())
    assert heading == ["ID", "WORKFLOW", "VERDICT", "STEP", "REASON"]
    assert [row[:4] for row in rows] == [
        ["order-1", "checkout", "matches", "-"], ["order-2", "checkout", "matches", "-"],
        ["daily", "report", "matches", "-"],
    ]  # fmt: skip
    assert rows[0][4] == "it goes on at step 3 (litewf.sleep)"
    assert db.read_bytes() == image
    assert not (db.parent / "bodies").exists()


def test_a_change_without_a_patch_fails_with_the_step_and_the_cure(cli: Cli, db: Path) -> None:
    change(db, FIRST, "    ship(order)\n    charge(order)\n")
    done = cli("check-upgrade", "shop:registry", "--db", str(db))
    assert done.returncode == 1
    assert done.stdout.count("lacks a patch  1     step 1 is recorded as 'charge', but the code now calls 'ship'") == 2
    summary, advice = done.stderr.splitlines()
    assert summary == "1 matches, 2 lacks a patch"
    assert advice.startswith("checkout, step 1: ")
    assert "litewf.patch(" in advice
    answer = json.loads(cli("check-upgrade", "shop:registry", "--db", str(db), "--json").stdout)
    assert [(one["workflow_id"], one["verdict"], one["step"]) for one in answer] == [
        ("order-1", "lacks_patch", "1"), ("order-2", "lacks_patch", "1"), ("daily", "matches", None),
    ]  # fmt: skip
    assert (answer[0]["recorded"], answer[0]["called"]) == ("charge", "ship")


def test_the_same_change_behind_a_patch_passes(cli: Cli, db: Path) -> None:
    change(db, FIRST, '    if litewf.patch("ship first"):\n        ship(order)\n    charge(order)\n')
    assert cli("check-upgrade", "shop:registry", "--db", str(db)).returncode == 0


def test_a_workflow_that_went_is_named(cli: Cli, db: Path) -> None:
    change(db, 'name="report"', 'name="daily_report"')
    done = cli("check-upgrade", "shop:registry", "--db", str(db))
    assert done.returncode == 1
    assert "unknown workflow" in done.stdout
    assert "@workflow(name='report')" in done.stderr


def test_a_file_without_unfinished_workflows_passes(cli: Cli, db: Path) -> None:
    with litewf.Client(db) as client:
        for status in client.list_workflows():
            client.cancel_workflow(status.workflow_id)
    done = cli("check-upgrade", "shop:registry", "--db", str(db))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no workflow is unfinished\n")
    assert json.loads(cli("check-upgrade", "shop:registry", "--db", str(db), "--json").stdout) == []


def test_a_file_of_an_older_litewf_stays_as_it_is(cli: Cli, db: Path) -> None:
    """Its engines, which may run on it meanwhile, would not know newer tables."""
    old = db.parent / "old.db"
    older_file(old, 1)
    image = old.read_bytes()
    assert cli("check-upgrade", "shop:registry", "--db", str(old)).returncode == 0
    assert old.read_bytes() == image


def test_what_is_not_there_is_told(cli: Cli, db: Path) -> None:
    assert cli("check-upgrade", "nowhere", "--db", str(db)).returncode == 2
    assert cli("check-upgrade", "--db", str(db)).returncode == 2
    missing = cli("check-upgrade", "shop:registry", "--db", str(db.parent / "gone.db"))
    assert (missing.returncode, len(missing.stderr.splitlines())) == (5, 1)
    (db.parent / "text.db").write_text("no database, but long enough to be looked at\n" * 20)
    newer = db.parent / "newer.db"
    older_file(newer, 1)
    with closing(sqlite3.connect(newer)) as connection:
        connection.execute("PRAGMA user_version = 99")
    refused = cli("check-upgrade", "shop:registry", "--db", str(newer))
    assert (refused.returncode, len(refused.stderr.splitlines())) == (5, 1)
    assert "newer.db was written by a newer litewf (schema 99" in refused.stderr
    damaged = cli("check-upgrade", "shop:registry", "--db", str(db.parent / "text.db"))
    assert (damaged.returncode, len(damaged.stderr.splitlines())) == (5, 1)
