"""`litewf run`: a worker process, or several, that run the workflows of a module until a signal ends them."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Literal

import typer

from litewf.api.engine import Engine
from litewf.cli import output, workers
from litewf.cli.files import usage_errors
from litewf.cli.logs import LogLevel, log_to_stderr
from litewf.cli.options import DEFAULT_DB, DURATION, DURATION_HELP, Db, seconds
from litewf.cli.programs import PARAMETER, registry_of
from litewf.cli.telemetry import Telemetry, watched

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SWITCH_INTERVAL_S = 0.00005  # beside a busy thread commits take Python's lock back 7 to 24 times as fast
LOOK_S = 1.0  # how often to see whether the engine still runs


def run(
    program: Annotated[
        str, typer.Argument(metavar=PARAMETER, help="What defines the workflows; module alone: the default.")
    ],
    *,
    processes: Annotated[int, typer.Option(min=1, max=256, metavar="N", help="How many processes.")] = 1,
    queue: Annotated[list[str] | None, typer.Option(metavar="QUEUE", help="Serve only this queue; repeatable.")] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help="What lists call it; else process-<pid>.")] = None,
    version: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The application version; then it runs no other.")
    ] = None,
    recover: Annotated[
        Literal["compatible", "matching"] | None, typer.Option(help="Run what fits the code, or only this version.")
    ] = None,
    durability: Annotated[
        Literal["full", "normal"], typer.Option(help="normal may forget the last commits after a power cut.")
    ] = "full",
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="For sync workflows and steps, at most.")] = 200,
    retention: Annotated[
        Any, typer.Option(parser=seconds, metavar=DURATION, help=f"Prune what ended longer ago: {DURATION_HELP}.")
    ] = None,
    grace: Annotated[
        Any, typer.Option(parser=seconds, metavar=DURATION, help="How long steps may still run at the end.")
    ] = "10s",
    telemetry: Telemetry = False,
    log_level: LogLevel = "warning",
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
    db: Db = DEFAULT_DB,
) -> None:
    """Run the workflows of a module until SIGINT or SIGTERM; the file is created when missing.

    At the signal it claims nothing more, lets running steps end within --grace, and exits with 0; a second signal ends
    it at once. What was not finished goes on where an engine runs next. With --processes a process that dies is
    started again, and what it ran is taken over by the others at once.
    """
    if processes > 1:
        raise typer.Exit(workers.supervise(processes, grace))
    registry = registry_of(program)
    log_to_stderr(log_level)
    with usage_errors():
        engine = Engine(
            db, registry=registry, queues=queue or None, executor_id=name, application_version=version,
            recover=recover, durability=durability, max_threads=threads, retention=retention,
        )  # fmt: skip
        watched(engine, telemetry=telemetry)
        _run(engine, lambda: _say(program, db, engine), grace, with_parent=with_parent)


def _run(engine: Engine, ready: Callable[[], None], grace_s: float, *, with_parent: bool) -> None:
    with _as_worker() as stop:
        if with_parent:
            threading.Thread(target=_stop_with_parent, args=(stop,), daemon=True).start()
        engine.launch()
        try:
            ready()
            while not stop.wait(LOOK_S) and engine.is_running:
                pass
            if not stop.is_set():
                engine.next_due()  # raises why the engine has ended by itself
        finally:
            engine.shutdown(grace_s)


@contextmanager
def _as_worker() -> Iterator[threading.Event]:
    """Take this process over, and leave it as it was: an event that the first signal sets."""
    stop = threading.Event()
    interval_s = sys.getswitchinterval()
    handlers: dict[signal.Signals, Any] = {}

    def give_back() -> None:
        for each, handler in handlers.items():
            signal.signal(each, handler)

    def end(_number: int, _frame: FrameType | None) -> None:
        give_back()  # a second signal does what it always does
        stop.set()

    try:
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        for each in SIGNALS:
            handlers[each] = signal.signal(each, end)
        yield stop
    finally:
        give_back()
        sys.setswitchinterval(interval_s)


def _stop_with_parent(stop: threading.Event) -> None:
    """The standard input is a pipe that nobody writes to: it ends when the parent does, however that happens."""
    while os.read(0, 1):
        pass
    stop.set()


def _say(program: str, db: Path, engine: Engine) -> None:
    typer.echo(f"litewf runs {program} on {db} as {engine.executor_id}, version {engine.application_version}")
    output.flush()
