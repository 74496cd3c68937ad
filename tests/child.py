"""A process that runs a few lines of Python and speaks with a test over its pipes; no test has to sleep for it."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

ROOT = Path(__file__).parents[1]


class Child:
    """A process; `hear` blocks for its next line, so that nobody has to sleep."""

    preamble: ClassVar[str]  # what stands before the code that a test gives
    modules: ClassVar[Sequence[Path]] = (ROOT,)  # where it finds them

    def __init__(
        self, code: str, path: Path, arguments: Sequence[str] = (), *, options: Sequence[str] = (), pipes: bool = True
    ) -> None:
        pipe = subprocess.PIPE if pipes else None
        self.popen = subprocess.Popen(
            [sys.executable, *options, "-c", self.preamble + code, str(path), *arguments],
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, self.modules))},
        )

    @property
    def pid(self) -> int:
        return self.popen.pid

    def hear(self) -> str:
        assert self.popen.stdout is not None
        line = self.popen.stdout.readline()
        assert line, f"the process has ended: {self.popen.stderr.read() if self.popen.stderr else ''}"
        return line.strip()

    def say(self, text: str = "go") -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(text + "\n")
        self.popen.stdin.flush()

    def ask(self, text: str) -> str:
        self.say(text)
        return self.hear()

    def signal(self, number: signal.Signals) -> None:
        self.popen.send_signal(number)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()

    def _kill_all(self) -> None:
        os.killpg(self.popen.pid, signal.SIGKILL)

    def end(self, timeout: float = 20) -> tuple[int, str, str]:
        """Close its input and wait for it; status, the rest of its output, and errors.

        Not by `communicate`, which loses what `hear` has read ahead of the line that it gave.
        """
        if self.popen.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.popen.stdin.close()
        alarm = threading.Timer(timeout, self._kill_all)  # whoever has the other end of a pipe keeps it open
        alarm.start()
        errors: list[str] = []
        listener = threading.Thread(target=lambda: errors.append(self.popen.stderr.read()))  # type: ignore[union-attr]  # a pipe
        listener.start()
        output = "" if self.popen.stdout is None else self.popen.stdout.read()
        status = self.popen.wait()
        listener.join()
        alarm.cancel()
        for pipe in (self.popen.stdout, self.popen.stderr):
            if pipe is not None:
                pipe.close()
        return status, output, errors[0]

    def close(self) -> None:
        self.kill()
        for pipe in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if pipe is not None:
                pipe.close()
