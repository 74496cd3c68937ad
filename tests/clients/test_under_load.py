"""Two engines, three clients and the command line on one file, killed and started again while they work.

Nothing that a caller was told is lost, nothing happens twice, and nobody hears that the database is locked.
"""

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import pytest

import litewf
from tests.clients import program
from tests.clients.processes import PREAMBLE, ROOT

LONG_REPLAY = "recorded steps each time it wakes"  # a warning that an inbox of a thousand messages earns
ENGINES = ("one", "two")
CLIENTS = {"a": "Client", "b": "AsyncClient", "c": "AsyncClient"}
SERVE = """
with litewf.Engine(path, registry=program.registry) as engine:
    hear()
"""
PATIENCE_S = 60.0


class Fleet:
    """The processes, by name."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.folder = path, folder
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.killed: list[int] = []
        self.complaints: list[str] = []

    def start(self, name: str) -> None:
        if name in CLIENTS:
            code = ["-m", "tests.clients.worker", CLIENTS[name], str(self.path), str(self.folder), name]
        else:
            code = ["-c", PREAMBLE + SERVE, str(self.path)]
        with (self.folder / f"{name}.err").open("a") as errors:
            self.running[name] = subprocess.Popen(
                [sys.executable, *code], stdin=subprocess.PIPE, stderr=errors, text=True, env=environment(), cwd=ROOT
            )

    def kill(self, name: str) -> None:
        victim = self.running.pop(name)
        if victim.poll() is not None:
            self.complaints.append(f"{name} had ended with {victim.returncode}")
        self.killed.append(victim.pid)
        victim.kill()
        self._reap(victim)

    def finish(self) -> None:
        """Let the clients come to their end, then the engines."""
        (self.folder / "stop").touch()
        for name in (*CLIENTS, *ENGINES):
            process = self.running.pop(name)
            if name in ENGINES:
                assert process.stdin is not None
                process.stdin.close()
            status = process.wait(PATIENCE_S)
            if status:
                self.complaints.append(f"{name} ended with {status}")
            self._reap(process)

    def close(self) -> None:
        for process in self.running.values():
            process.kill()
            self._reap(process)

    @staticmethod
    def _reap(process: subprocess.Popen[str]) -> None:
        process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def told(self) -> dict[str, list[str]]:
        """What the clients were told, by the kind of call."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in CLIENTS:
            for line in program.noted(self.folder / f"{name}.told"):
                what, word = line.split()
                found[what].append(word if "-" in word else f"{name}-{word}")
        return found

    def errors(self) -> str:
        return "".join(file.read_text() for file in sorted(self.folder.glob("*.err")))


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))}


class CommandLine(threading.Thread):
    """Somebody at a shell, who goes on until told to stop."""

    def __init__(self, path: Path, ledger: str) -> None:
        super().__init__(name="shell")
        self._db = ["--db", str(path)]
        self._ledger = ledger
        self._over = threading.Event()
        self.complaints: list[str] = []
        self.ran: list[str] = []

    def run(self) -> None:
        number = 0
        while not self._over.is_set():
            name = f"cli-{number}"
            answer = self._litewf("enqueue", "work", "job", self._ledger, str(number), "--id", name, "--wait")
            if answer.strip() == str(2 * number):
                self.ran.append(name)
            else:
                self.complaints.append(f"{name}: {answer}")
            self._litewf("list", "--limit", "5", "--json")
            self._litewf("show", name)
            number += 1

    def _litewf(self, *words: str) -> str:
        done = subprocess.run([sys.executable, "-m", "litewf", *words, *self._db], capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False, env=environment(), cwd=ROOT)  # fmt: skip
        if done.returncode or done.stderr:
            self.complaints.append(f"litewf {' '.join(words)}: {done.returncode} {done.stderr}")
        return done.stdout

    def finish(self) -> None:
        self._over.set()
        self.join(3 * PATIENCE_S)


@pytest.fixture
def fleet(path: Path, tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(path, tmp_path)
    yield fleet
    fleet.close()


def for_seconds(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


def for_kills(fleet: Fleet, count: int) -> Callable[[], bool]:
    return lambda: len(fleet.killed) < count


def cause_havoc(fleet: Fleet, goes_on: Callable[[], bool], progress: int) -> None:
    """Kill one process after another, each time after so many calls have returned."""
    random_ = random.Random(6)
    order = [*ENGINES, *CLIENTS]
    random_.shuffle(order)
    wait_for(fleet, progress)
    while goes_on():
        victim = order[len(fleet.killed) % len(order)]
        fleet.kill(victim)
        fleet.start(victim)
        wait_for(fleet, len(fleet.told()["result"]) + progress)


def wait_for(fleet: Fleet, results: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while len(fleet.told()["result"]) < results:
        assert time.monotonic() < until, f"nothing goes on: {fleet.errors()}"
        time.sleep(0.02)  # the notes are files, which other processes write


@pytest.mark.parametrize(
    "extent", ["4 kills", pytest.param("a minute", marks=pytest.mark.nightly)], ids=lambda extent: extent
)
def test_nothing_is_lost_and_nothing_happens_twice(fleet: Fleet, path: Path, tmp_path: Path, extent: str) -> None:
    with litewf.Engine(path, registry=program.registry):
        pass
    shell = CommandLine(path, str(tmp_path / "ledger"))
    for name in (*ENGINES, *CLIENTS):
        fleet.start(name)
    shell.start()
    try:
        if extent == "a minute":
            cause_havoc(fleet, for_seconds(60), progress=40)
        else:
            cause_havoc(fleet, for_kills(fleet, 4), progress=4)
    finally:
        shell.finish()
    fleet.finish()
    errors = [line for line in fleet.errors().splitlines() if LONG_REPLAY not in line]
    assert (errors, fleet.complaints, shell.complaints) == ([], [], [])
    check(fleet, shell, path, tmp_path / "ledger")


def check(fleet: Fleet, shell: CommandLine, path: Path, ledger: Path) -> None:
    told = fleet.told()
    with litewf.Engine(path, registry=program.registry) as engine:
        for name in CLIENTS:
            engine.send(f"{name}-inbox", "end", "in")
        inboxes = {name: engine.retrieve_workflow(f"{name}-inbox").get_result(PATIENCE_S) for name in CLIENTS}
        engine.wait_until_idle(PATIENCE_S)
        status = {one.workflow_id: one.status for one in engine.list_workflows(name="job")}

    assert set(status.values()) == {"SUCCESS"}
    assert set(told["started"]) | set(shell.ran) <= set(status)  # nothing is lost
    print(f"{len(status)} jobs, {len(told['sent'])} messages, {len(shell.ran)} by the shell, {len(fleet.killed)} kills")
    check_bodies(fleet, status, ledger)
    for name, numbers in inboxes.items():
        sent = [int(word.partition("-")[2]) for word in told["sent"] if word.startswith(f"{name}-")]
        assert set(sent) <= set(numbers)  # no message is lost,
        assert numbers == sorted(set(numbers))  # none comes twice, and they come in their order
    connection = apsw.Connection(str(path))
    assert connection.pragma("integrity_check") == "ok"
    connection.close()


def check_bodies(fleet: Fleet, status: dict[str, str], ledger: Path) -> None:
    """A body runs again only if its process was killed before the outcome was recorded."""
    ran: dict[str, list[int]] = defaultdict(list)
    for line in program.noted(ledger):
        workflow_id, _, pid = line.split()
        ran[workflow_id].append(int(pid))
    assert set(ran) == set(status)
    for pids in ran.values():
        assert max(Counter(pids).values()) == 1
        assert set(pids[:-1]) <= set(fleet.killed)
