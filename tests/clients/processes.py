"""Real processes that run a few lines of Python on the file of a test, and speak over their pipes."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import litewf

ROOT = Path(litewf.__file__).parents[1]
PREAMBLE = """
import asyncio, os, sys
import litewf
from tests.clients import program
path = sys.argv[1]
def say(*words): print(*words, flush=True)
def hear(): return sys.stdin.readline().strip()
"""
ENGINE = """
with litewf.Engine(path, registry=program.registry) as engine:
    say("up")
    hear()
"""


class Child:
    """A process; `hear` blocks for its next line, so that nobody has to sleep."""

    def __init__(self, code: str, path: Path, arguments: Sequence[str] = ()) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-c", PREAMBLE + code, str(path), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))},
        )

    def hear(self) -> str:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, f"the process has ended: {self.popen.stderr.read() if self.popen.stderr else ''}"
        return line.strip()

    def say(self, text: str = "go") -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(text + "\n")
        self.popen.stdin.flush()

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def end(self, timeout: float = 30) -> tuple[int, str]:
        """Close its input and wait for it; its status and errors."""
        _, errors = self.popen.communicate(timeout=timeout)
        return self.popen.returncode, errors

    def close(self) -> None:
        self.kill()
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if pipe is not None:
                pipe.close()


Spawn = Callable[..., Child]  # what the fixture `spawn` gives
