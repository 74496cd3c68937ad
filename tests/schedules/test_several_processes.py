"""H1: engines in several processes on one file, killed and started again, run each tick once."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import litewf
from tests.schedules.clockwork import FileClock, open_clock
from tests.schedules.scene import at
from tests.stage import PATIENCE_S

ROOT = Path(__file__).parents[2]
NOON_US = int(at("2030-01-01 12:00").timestamp()) * 1_000_000
MINUTE_US = 60_000_000


class Crew:
    """Engine processes under one clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock: FileClock = open_clock(folder / "clock", NOON_US)
        self.processes: list[subprocess.Popen[str]] = []

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.schedules.clockwork", str(self.folder)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.processes.append(process)

    def up(self) -> None:
        for process in self.processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "up\n"

    def kill(self, at: int) -> None:
        process = self.processes.pop(at)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    def close(self) -> None:
        for process in self.processes:
            process.communicate("end\n", timeout=PATIENCE_S)


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    crew = Crew(tmp_path)
    yield crew
    for process in crew.processes:
        process.kill()
        process.communicate()


def minutes(name: str, every: int, until: int) -> set[str]:
    return {f"{name}@2030-01-01T{12 + n // 60}:{n % 60:02}:00Z" for n in range(every, until + 1, every)}


def wait_for(crew: Crew, wanted: set[str]) -> None:
    """Until all of these have ended."""
    patience = time.monotonic() + PATIENCE_S
    with litewf.Client(crew.folder / "flows.db", clock=crew.clock) as client:
        while missing := wanted - {status.workflow_id for status in client.list_workflows(status="SUCCESS")}:
            assert time.monotonic() < patience, f"these never ran: {sorted(missing)}"
            time.sleep(0.002)  # until other processes have committed


def check_diary(crew: Crew, killed: int) -> None:
    lines = Counter((crew.folder / "diary").read_text().split())
    twice = {line for line, count in lines.items() if count > 1}
    assert len(twice) <= killed, "only a body that a kill interrupted may run again"


def test_two_engines_fire_each_tick_once(crew: Crew) -> None:
    for _ in range(2):
        crew.start()
    crew.up()
    for minute in range(1, 31):
        crew.clock.turn(NOON_US + minute * MINUTE_US)
    wait_for(crew, minutes("a", 1, 30) | minutes("b", 7, 30) | {"c@2030-01-01T12:30:00Z"})
    crew.close()
    ids = finished(crew)
    assert {one for one in ids if one[0] == "a"} == minutes("a", 1, 30)
    assert {one for one in ids if one[0] == "b"} == minutes("b", 7, 30)
    check_diary(crew, killed=0)


@pytest.mark.parametrize(
    "seed", [1, pytest.param(2, marks=pytest.mark.nightly), pytest.param(3, marks=pytest.mark.nightly)]
)
def test_engines_that_are_killed_and_started_again_fire_each_tick_once(crew: Crew, seed: int) -> None:
    chance, minute, killed = random.Random(seed), 0, 0
    for _ in range(2):
        crew.start()
    crew.up()
    for _ in range(8):
        for _ in range(chance.randrange(1, 6)):
            minute += 1
            crew.clock.turn(NOON_US + minute * MINUTE_US)
            if chance.random() < 0.5:
                wait_for(crew, {f"a@2030-01-01T{12 + minute // 60}:{minute % 60:02}:00Z"})
        crew.kill(chance.randrange(2))
        killed += 1
        kept, crew.processes = crew.processes, []
        crew.start()
        crew.up()
        crew.processes += kept
    wait_for(crew, minutes("a", 1, minute) | minutes("b", 7, minute))
    crew.close()
    ids = finished(crew)
    assert {one for one in ids if one[0] == "a"} == minutes("a", 1, minute)
    assert {one for one in ids if one[0] == "b"} == minutes("b", 7, minute)
    assert {one for one in ids if one[0] == "c"} <= minutes("c", 3, minute)
    check_diary(crew, killed)


def finished(crew: Crew) -> list[str]:
    with litewf.Client(crew.folder / "flows.db", clock=crew.clock) as client:
        everything = client.list_workflows()
    assert {status.status for status in everything} == {"SUCCESS"}
    return [status.workflow_id for status in everything]
