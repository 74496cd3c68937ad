"""Several worker processes under one: started, started again when they die, and ended together."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from typing import NamedTuple

from litewf.cli import exits, output
from litewf.cli.processes import command, environment

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHORT_LIFE_S = 5.0  # who ends by itself within this time would do so again
LOOK_S = 0.2
PATIENCE_S = 5.0  # beyond the grace, before a worker is killed


class Worker(NamedTuple):
    """One worker process, and when it was started."""

    process: subprocess.Popen[bytes]
    started: float


def supervise(count: int, grace_s: float) -> int:
    """Run this very command line in `count` processes until a signal; the exit status."""
    stop = threading.Event()
    for each in SIGNALS:
        signal.signal(each, lambda _number, _frame: stop.set())
    workers = [_start() for _ in range(count)]
    status = exits.DONE
    try:
        while not stop.wait(LOOK_S) and status == exits.DONE:
            status = _renew(workers)
    finally:
        _end(workers, grace_s)
    return status


def _start() -> Worker:
    """One process with the same arguments; its input is a pipe whose end tells it that this process is gone."""
    arguments = [*sys.argv[1:], "--processes", "1", "--with-parent"]
    process = subprocess.Popen(  # noqa: S603 - our own command line
        command("litewf", *arguments),
        stdin=subprocess.PIPE,
        env=environment(),
        start_new_session=True,  # Ctrl-C is for this process, which tells them
    )
    return Worker(process, time.monotonic())


def _renew(workers: list[Worker]) -> int:
    """Start again what has died; a status other than 0 if that makes no sense."""
    for at, worker in enumerate(workers):
        code = worker.process.poll()
        if code is None:
            continue
        _close(worker)
        if code > 0 and time.monotonic() - worker.started < SHORT_LIFE_S:
            output.note(f"litewf: a worker ended at once with status {code}; all are stopped")
            return code
        why = signal.Signals(-code).name if code < 0 else f"status {code}"
        output.note(f"litewf: worker {worker.process.pid} ended ({why}); another one is started")
        workers[at] = _start()
    return exits.DONE


def _end(workers: list[Worker], grace_s: float) -> None:
    for worker in workers:
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGTERM)
    until = time.monotonic() + grace_s + PATIENCE_S
    for worker in workers:
        try:
            worker.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        _close(worker)


def _close(worker: Worker) -> None:
    if worker.process.stdin is not None:
        worker.process.stdin.close()
