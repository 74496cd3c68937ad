"""`litewf doctor`: what it finds, what it advises, and that it changes nothing."""

import hashlib
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

import litewf
from litewf.store.invariants import ALWAYS, TALKING
from litewf.store.migrate import migrations
from tests.cli.live import Here, older_file, worker

DAY_US = 86_400_000_000


def findings(here: Here, db: Path, *options: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit status, and what is no "ok", by the name of the check."""
    done = here("doctor", "--json", *options, "--db", db)
    found: dict[str, list[dict[str, Any]]] = {}
    for one in done.json["findings"]:
        if one["level"] != "ok" and "Python's own SQLite" not in one["what"]:
            found.setdefault(one["check"], []).append(one)
    assert done.json["healthy"] == (done.status == 0)
    return done.status, found


@pytest.fixture
def db(path: Path, registry: litewf.Registry) -> Path:
    """A file that an engine has left in order: one workflow is done, one sleeps, one waits for a message."""

    @registry.workflow(name="done")
    def done() -> None:
        pass

    @registry.workflow(name="sleeps")
    def sleeps() -> None:
        litewf.sleep(86_400)

    @registry.workflow(name="listens")
    def listens() -> None:
        litewf.recv("topic")

    with litewf.Engine(path, registry=registry, linger=0) as engine:
        engine.run_workflow(done)
        engine.start_workflow(sleeps.with_options(workflow_id="s-1"))
        engine.start_workflow(listens.with_options(workflow_id="l-1"))
        engine.wait_until_idle()
    return path


def change(db: Path, *statements: str) -> None:
    """Change the tables as no litewf would."""
    with apsw.Connection(str(db)) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def test_with_an_engine_that_runs_all_is_well(here: Here, shop: Path) -> None:
    status, found = findings(here, shop)
    assert (status, found) == (0, {})
    text = here("doctor", "--db", shop).out
    for check in ("integrity", "invariants", "engines", "locks"):
        assert f"ok      {check}" in text or f"ok  {check}" in text.replace("    ", "  ")


def test_it_changes_nothing(here: Here, db: Path) -> None:
    before = hashlib.sha256(db.read_bytes()).hexdigest()
    here("doctor", "--db", db)
    assert hashlib.sha256(db.read_bytes()).hexdigest() == before


def test_a_file_at_rest_has_no_problem_and_no_engine(here: Here, db: Path) -> None:
    status, found = findings(here, db)
    assert (status, [one["what"] for one in found["engines"]]) == (0, ["no engine runs on this file"])


def test_what_no_engine_knows_is_stranded_with_what_to_do(here: Here, db: Path) -> None:
    here("start", "unheard", "--id", "u-1", "--db", db)
    here("enqueue", "mail", "unheard", "--id", "u-2", "--db", db)
    status, found = findings(here, db, "--quick")
    assert status == 1
    assert [one["workflow_ids"] for one in found["stranded"]] == [["u-1"], ["u-2"]]
    assert "litewf run MODULE:REGISTRY" in found["stranded"][0]["advice"]
    text = here("doctor", "--quick", "--db", db).out
    assert "  -> start an engine whose program has it: litewf run MODULE:REGISTRY" in text


def test_a_paused_queue_with_work_is_a_notice(here: Here, db: Path) -> None:
    here("enqueue", "mail", "unheard", "--db", db)
    here("queues", "pause", "mail", "--db", db)
    status, found = findings(here, db, "--quick")
    assert (status, found["stranded"][0]["advice"]) == (0, "litewf queues resume mail")
    assert found["paused"][0]["what"] == "queue mail"


def test_what_is_held_is_told_with_its_reason(here: Here, db: Path) -> None:
    change(db, "UPDATE workflow SET phase = 'held', held = 'other code', due_us = NULL WHERE id = 's-1'",
           "DELETE FROM wait WHERE workflow = (SELECT key FROM workflow WHERE id = 's-1')")  # fmt: skip
    status, found = findings(here, db)
    assert (status, list(found)) == (1, ["engines", "held"])
    assert found["held"][0]["what"] == "1 of sleeps held: other code (s-1)"
    assert "litewf resume" in found["held"][0]["advice"]


def test_what_is_overdue_is_told(here: Here, db: Path) -> None:
    for table in ("workflow", "wait", "step"):
        change(db, f"UPDATE {table} SET due_us = due_us - {2 * DAY_US} WHERE due_us IS NOT NULL")
    status, found = findings(here, db, "--quick")
    assert (status, found["overdue"][0]["workflow_ids"]) == (1, ["s-1"])


def test_a_dead_engine_with_work_is_a_problem_until_another_one_runs(here: Here, tmp_path: Path) -> None:
    db = tmp_path / "shop.db"
    with worker(tmp_path) as process:
        here("start", "nap", "3600", "--id", "n-1", "--db", db)
        while here("list", "--executor", f"process-{process.pid}", "--json", "--db", db).json == []:
            pass  # until it has taken it up; before its linger is over it is killed
        process.kill()
        process.wait(30)
        owned = litewf_owned(db)
    status, found = findings(here, db, "--quick")
    assert f"(pid {process.pid}) is dead; it had {owned} workflows in memory" in found["engines"][0]["what"]
    assert (status, found["engines"][0]["level"]) == ((1, "problem") if owned else (0, "notice"))
    with worker(tmp_path):
        while findings(here, db, "--quick") != (0, {}):
            pass  # until it has taken over what the dead one had


def litewf_owned(db: Path) -> int:
    with litewf.Client(db) as client:
        return int(client.query("SELECT count(*) FROM workflow WHERE owner IS NOT NULL")[0][0])


def test_it_names_who_holds_the_turn_to_write(here: Here, db: Path) -> None:
    if not Path("/proc/locks").exists():
        pytest.skip("this system does not tell who holds locks")
    code = f"""
import fcntl, sys
turn = open({str(db)!r} + "-turn")
fcntl.flock(turn, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""

    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        done = here("doctor", "--quick", "--db", db)
        other.communicate()
    assert f"(pid {other.pid}) has its turn to write" in done.out


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("UPDATE workflow SET status = 'ERROR' WHERE name = 'done'", "A2 a status that contradicts"),
        ("DELETE FROM outcome", "A2 an unfinished workflow with an outcome"),
        ("DELETE FROM wait", "E5 a parked workflow that waits for nothing"),
        (
            "UPDATE wait SET waits = (SELECT 'workflow:' || id FROM workflow WHERE name = 'done') WHERE waits NOT NULL",
            "E5 a parked workflow that waits for one that has ended",
        ),
        (
            """UPDATE wait SET waits = 'event:s-1' || char(10) || 'e' WHERE waits NOT NULL;
               INSERT INTO event (workflow, name, value, step, set_us)
               SELECT key, 'e', '1', '1', 1 FROM workflow WHERE id = 's-1'""",
            "E5 a parked workflow that waits for an event that is set",
        ),
        (
            "INSERT INTO message (workflow, topic, value, sent_us) SELECT key, 'topic', '1', 1 FROM workflow WHERE id = 'l-1'",
            "E5 a parked workflow that waits for a message that is there",
        ),
        ("UPDATE workflow SET completed_us = created_us - 1 WHERE name = 'done'", "H5 times that run backwards"),
    ],
    ids=["status", "outcome", "wait", "ended", "event", "message", "times"],
)
def test_a_broken_rule_is_told_with_its_rows(here: Here, db: Path, harm: str, said: str) -> None:
    change(db, harm)
    status, found = findings(here, db)
    assert status == 1
    assert said in " ".join(one["what"] for one in found["invariants"])


def test_every_rule_can_be_asked_of_a_file(db: Path) -> None:
    with litewf.Client(db) as client:
        assert [what for what, query in {**ALWAYS, **TALKING}.items() if client.query(query)] == []


def test_damaged_pages_are_told_with_what_to_do(here: Here, db: Path) -> None:
    damage(db, at=0.5)
    done = here("doctor", "--db", db)
    assert done.status == 1
    assert "problem" in done.out
    assert "restore a backup" in done.out


def test_a_file_without_its_first_page_is_one_line(here: Here, db: Path) -> None:
    db.write_bytes(b"\0" * 4096 + db.read_bytes()[4096:])
    done = here("doctor", "--db", db)
    assert (done.status, len(done.err.splitlines()), done.out) == (5, 1, "")


def damage(db: Path, *, at: float) -> None:
    """Overwrite some pages in the middle."""
    content = bytearray(db.read_bytes())
    begin = int(len(content) * at) // 4096 * 4096
    content[begin : begin + 3 * 4096] = b"\xa5" * (3 * 4096)
    db.write_bytes(content)


@pytest.mark.parametrize("version", range(1, len(migrations())), ids=str)
def test_a_file_of_an_older_litewf_is_looked_at_and_left_as_it_is(here: Here, tmp_path: Path, version: int) -> None:
    older_file(tmp_path / "old.db", version)
    before = (tmp_path / "old.db").read_bytes()
    status, found = findings(here, tmp_path / "old.db")
    assert (status, found["file"][0]["what"]) == (0, f"its schema is {version}, this litewf's is {len(migrations())}")
    assert (tmp_path / "old.db").read_bytes() == before


def test_a_file_that_no_engine_has_opened_is_a_notice(here: Here, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "plain.db")) as connection:
        connection.execute("CREATE TABLE mine (x)")
    status, found = findings(here, tmp_path / "plain.db")
    assert (status, found["file"][0]["what"]) == (0, "it holds no workflows yet")
