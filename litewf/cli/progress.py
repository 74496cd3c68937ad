"""Long work with a bar on the error stream, if a person looks at it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

R = TypeVar("R")
LOOK_S = 0.2


def with_bar(title: str, work: Callable[[], R], done: Callable[[], tuple[float, float]]) -> R:
    """The result of `work`, which runs in a thread meanwhile; `done` says how much of how much."""
    if not sys.stderr.isatty():
        return work()
    from rich.console import Console  # noqa: PLC0415 - only for people
    from rich.progress import Progress  # noqa: PLC0415 - as above

    future: Future[R] = Future()
    threading.Thread(target=_settle, args=(future, work), daemon=True).start()
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        while not wait([future], LOOK_S).done:
            completed, total = done()
            progress.update(task, completed=completed, total=total or None)
    return future.result()


def _settle(future: Future[R], work: Callable[[], R]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - raised where it is waited for
        future.set_exception(error)
