"""A whole run: processes that work through the targets, and what they say, gathered."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from fuzz.case import command
from fuzz.tally import Tally, Violation
from fuzz.worker import Begun, Done, Plan, work

PATIENCE_S = 120.0  # with one case
SPAWN = multiprocessing.get_context("spawn")


@dataclass
class Laborer:
    """One process, and the case that it is at."""

    plan: Plan
    connection: Connection
    process: BaseProcess
    at: Begun | None = None
    heard: float = 0.0


class Campaign:
    """Runs targets in parallel processes until it is time."""

    def __init__(
        self, targets: Sequence[str], seed: int, *, processes: int = 2, patience_s: float = PATIENCE_S
    ) -> None:
        self.tally = Tally(seed)
        for target in targets:
            self.tally.of(target)
        self._targets = targets
        self._processes = processes
        self._patience_s = patience_s
        self._laborers: list[Laborer] = []

    def run(
        self, seconds: float, *, most: int | None = None, tell: Callable[[str], None] = lambda _line: None
    ) -> Tally:
        """Work for so long, or until each target has run its first `most` cases; `tell` gets a line now and then."""
        began = time.monotonic()
        for index in range(self._processes):
            first = dict.fromkeys(self._targets, index)
            self._hire(Plan(self.tally.seed, first, self._processes, began + seconds, most))
        try:
            while self._laborers:
                self._listen()
                tell(self.tally.line(time.monotonic() - began))
        except KeyboardInterrupt:
            pass  # what was found until then is told
        finally:
            for laborer in self._laborers:
                laborer.process.kill()
        return self.tally

    def _hire(self, plan: Plan) -> None:
        ours, theirs = SPAWN.Pipe(duplex=False)
        process = SPAWN.Process(target=work, args=(theirs, plan), daemon=False)
        process.start()
        theirs.close()
        self._laborers.append(Laborer(plan, ours, process, heard=time.monotonic()))

    def _listen(self) -> None:
        ready = wait([laborer.connection for laborer in self._laborers], timeout=1.0)
        for laborer in list(self._laborers):
            if laborer.connection in ready:
                self._hear(laborer)
            elif time.monotonic() - laborer.heard > self._patience_s:
                self._end(laborer, f"nothing was heard of it for {self._patience_s:g} s")

    def _hear(self, laborer: Laborer) -> None:
        try:
            said = laborer.connection.recv()
        except (EOFError, OSError):
            self._over(laborer)
            return
        laborer.heard = time.monotonic()
        if isinstance(said, Begun):
            laborer.at = said
            laborer.plan.first[said.target] = said.number + laborer.plan.stride
        else:
            laborer.at = None
            self._count(said)

    def _count(self, done: Done) -> None:
        self.tally.done(done.target, done.cycles, done.kinds, done.seconds)
        if done.story is not None:
            self._fail(done.target, done.number, done.story)

    def _fail(self, target: str, number: int, story: str) -> None:
        self.tally.failed(Violation(target, command(target, self.tally.seed, number), story))

    def _over(self, laborer: Laborer) -> None:
        """It has ended: as it should, or in the middle of a case."""
        laborer.process.join()
        self._let_go(laborer, f"the process died with exit status {laborer.process.exitcode}")

    def _end(self, laborer: Laborer, why: str) -> None:
        with suppress(OSError, AttributeError):
            os.kill(laborer.process.pid or 0, signal.SIGUSR1)  # it prints where it is
            laborer.process.join(1.0)
        laborer.process.kill()
        laborer.process.join()
        self._let_go(laborer, why)

    def _let_go(self, laborer: Laborer, why: str) -> None:
        laborer.connection.close()
        self._laborers.remove(laborer)
        if laborer.at is not None:
            self.tally.done(laborer.at.target, 0, Counter(), 0.0)
            self._fail(laborer.at.target, laborer.at.number, why)
            self._hire(laborer.plan)
