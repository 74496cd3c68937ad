"""Kills a process at random moments, again and again, and settles accounts after each death.

The moments are real time, so a seed says how it was done, and not what happens exactly.
"""

import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

from tests.crash.invariants import Image
from tests.crash.killed_child import RESULTS, Diary

ROOT = Path(__file__).parents[2]


class Victim:
    """The process that forks the engines, and the engine that lives just now."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "tests.crash.killed_child", str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def live(self, number: str) -> int:
        """Begin a round; the pid of its engine, which has launched."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        first, second = self.hear(), self.hear()  # the pid and "up" may come in either order
        return int(first if first.isdecimal() else second)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


class Account:
    """What the diary says, compared with what the file says after each death."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = 0
        self._starts: Counter[str] = Counter()
        self._excused: Counter[str] = Counter()
        self._allowed: dict[str, int] = {}
        self._ended: dict[str, str] = {}  # receipt → step
        self._started: set[str] = set()
        self._settled: set[str] = set()
        self._last: Image | None = None

    def settle(self, *, at_the_end: bool = False) -> Image:
        """Read on in the diary, then check the file."""
        recorded_before, begun = self._settled, set()
        lines, self._read = Diary.lines(self._folder / "diary", self._read)
        for line in lines:
            _life, what, key, *rest = line.split()
            if what == "start":
                assert key not in recorded_before, f"B1 {key} started although it was recorded"
                self._starts[key] += 1
                self._allowed[key] = int(rest[1])
                begun.add(key)
            elif what == "end":
                self._ended[rest[0]] = key
            else:
                self._started.add(key)
        image = Image.of(self._folder / "flows.db")
        self._excused.update(key for key in begun if not image.settles(key))
        self._check(image, at_the_end=at_the_end)
        self._settled = self._settled | set(image.settled)
        self._last = image
        image.close()
        return image

    def _check(self, image: Image, *, at_the_end: bool) -> None:
        assert list(image.broken(at_the_end=at_the_end)) == []
        assert self._last is None or list(image.contradicts(self._last, frozenset())) == []
        assert self._started <= set(image.workflows), "A4 a start was acknowledged and is gone"
        for key, (name, output, error, *_) in image.settled.items():
            if not name.startswith("litewf.") and error is None:
                assert self._ended.get(output.strip('"')) == key, f"B2 {key} is recorded as {output}"
        for key, count in self._starts.items():
            assert count <= self._allowed[key] + self._excused[key], f"B5 {key} started {count} times"


def kill_often(victim: Victim, folder: Path, rounds: int, seed: int, latest_s: float = 0.05) -> int:
    """Kill it once in each round, then let it finish everything; in how many rounds the kill came in time."""
    chance, account = random.Random(seed), Account(folder)
    survived = 0
    for number in range(rounds):
        pid = victim.live(str(number))
        threading.Event().wait(chance.uniform(0, latest_s))  # the moment of death: real time is the point here
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(pid, signal.SIGKILL)
        survived += victim.hear() == "done" and victim.hear() == "over"
        account.settle()
    victim.live("end")
    assert victim.hear() == "done"
    image = account.settle(at_the_end=True)
    for workflow_id, (status, *_, output, _error, _created) in image.workflows.items():
        name = workflow_id.partition("-")[0]
        if "~" not in workflow_id:
            assert (status, output) == ("SUCCESS", str(RESULTS[name])), workflow_id
    return rounds - survived
