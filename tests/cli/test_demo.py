"""`litewf demo` through its entry point; what it proves is then read again from the files it leaves."""

import os
import pty
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import litewf
from litewf.cli.demo import ledger
from tests.cli.cli_process import ROOT, Cli, run_cli

BODIES = ["reserve_stock", "charge_card", "print_label", "call_courier", "send_mail"]


@dataclass
class Performance:
    done: "subprocess.CompletedProcess[str]"
    seconds: float
    db: Path

    @property
    def pids(self) -> list[int]:
        return [int(pid) for pid in re.findall(r"process (\d+): started", self.done.stdout)]

    def lines_of(self, process: int) -> str:
        return "\n".join(line for line in self.done.stdout.splitlines() if line.startswith(f"process {process}:"))


@pytest.fixture(scope="module")
def performance(tmp_path_factory: pytest.TempPathFactory) -> Performance:
    directory = tmp_path_factory.mktemp("demo")
    began = time.monotonic()
    done = run_cli("demo", "--db", "shop.db", cwd=directory)
    return Performance(done, time.monotonic() - began, directory / "shop.db")


def test_the_demo_succeeds_within_its_time(performance: Performance) -> None:
    assert (performance.done.returncode, performance.done.stderr) == (0, "")
    assert performance.seconds < 15


def test_each_body_ran_once_over_three_processes(performance: Performance) -> None:
    entries = ledger.read(performance.db.with_name("shop.ledger.jsonl"))
    assert [entry.step for entry in entries] == BODIES
    assert Counter(entry.pid for entry in entries) == dict(zip(performance.pids, (2, 1, 2), strict=True))


def test_the_file_has_each_step_recorded_once(performance: Performance) -> None:
    with litewf.Engine(performance.db, registry=litewf.Registry()) as engine:
        steps = engine.list_steps("order-1")
        [workflow] = engine.list_workflows()
    assert [step.name for step in steps] == [*BODIES[:3], "litewf.sleep", *BODIES[3:]]
    assert all(step.completed_at is not None for step in steps)
    assert workflow.status == "SUCCESS"


def test_it_says_which_steps_ran_which_were_replayed_and_where_it_was_killed(performance: Performance) -> None:
    first, second, third = (performance.lines_of(pid) for pid in performance.pids)
    assert first.endswith("SIGKILL")
    assert second.endswith("SIGKILL")
    assert "SIGKILL" not in third
    assert re.findall(r"(\w+) ran", first) == ["reserve_stock", "charge_card"]
    assert re.findall(r"(\w+) replayed", second) == ["reserve_stock", "charge_card"]
    assert re.findall(r"(\w+) ran", second) == ["print_label"]
    assert re.findall(r"(\w+) replayed", third) == ["reserve_stock", "charge_card", "print_label"]
    assert re.findall(r"(\w+) ran", third) == ["call_courier", "send_mail"]


def test_it_says_how_long_recovery_took_and_where_the_file_is(performance: Performance) -> None:
    assert re.search(r"Recovery 1: .* \d+ ms after the launch", performance.done.stdout)
    assert re.search(r"Recovery 2: .* \d+ ms after its stored time", performance.done.stdout)
    assert f"File:    {performance.db}" in performance.done.stdout
    assert "runs again, with the same idempotency key" in performance.done.stdout


def test_a_pipe_gets_no_control_codes(performance: Performance) -> None:
    assert "\x1b" not in performance.done.stdout


def test_a_second_demo_on_the_same_file_is_refused(cli: Cli, performance: Performance) -> None:
    before = performance.db.read_bytes()
    done = cli("demo", "--db", str(performance.db))
    assert done.returncode == 2
    assert "exists" in done.stderr
    assert performance.db.read_bytes() == before


def test_a_missing_directory_is_refused(cli: Cli, tmp_path: Path) -> None:
    done = cli("demo", "--db", str(tmp_path / "missing" / "shop.db"))
    assert done.returncode == 2
    assert "no directory" in done.stderr


def test_a_terminal_sees_a_live_table(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "litewf", "demo", "--db", str(tmp_path / "shop.db")],
        stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"},
    )  # fmt: skip
    os.close(theirs)
    shown = b"".join(_read(ours)).decode()
    os.close(ours)
    assert process.wait() == 0
    assert "\x1b[" in shown
    last = shown[shown.rindex("checkout") :]  # the table as it was drawn last
    assert last.count("SIGKILL") == 2
    assert last.count("replayed") == 5 + 1  # five cells and the sentence below
    assert "\x1b[?25h" in shown  # the cursor is back


def _read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            part = os.read(terminal, 65_536)
        except OSError:  # how Linux says that the other side has closed
            return
        if not part:
            return
        yield part
