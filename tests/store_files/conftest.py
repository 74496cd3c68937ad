"""Real processes for the tests of lock files: each runs a few lines, speaks over its pipes, and is killed at the end."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.child import Child

PREAMBLE = """
import os, sys
from pathlib import Path
from litewf.store import oslock
from litewf.store.lockfile import ProcessLock
from litewf.store.turnstile import Turnstile
db = Path(sys.argv[1])
def say(text): print(text, flush=True)
def hear(): return sys.stdin.readline().strip()
"""


class Process(Child):
    """A process that locks the files beside a database."""

    preamble = PREAMBLE


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


@pytest.fixture
def spawn(db: Path) -> Iterator[Callable[[str], Process]]:
    started: list[Process] = []

    def start(code: str) -> Process:
        started.append(Process(code, db))
        return started[-1]

    yield start
    for process in started:
        process.close()


@pytest.fixture
def in_fork() -> Callable[[Callable[[], None]], None]:
    """Run a function in a forked child to its end."""

    def run(body: Callable[[], None]) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                body()
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    return run
