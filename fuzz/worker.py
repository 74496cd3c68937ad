"""A process that runs cases in turn and says of each what came of it, before and after.

The parent hears of a case before it begins, so that it can name the one in which a process died or hangs.
"""

from __future__ import annotations

import faulthandler
import logging
import signal
import threading
import time
import traceback
from collections import Counter
from dataclasses import dataclass
from multiprocessing.connection import Connection

from fuzz.case import Case, opened, run

SLICE_S = 1.0  # for which a target goes on before it is the turn of the next


@dataclass(frozen=True)
class Plan:
    """What one process does: of each target every `stride`-th case from a first one on, until it is time."""

    seed: int
    first: dict[str, int]  # by target
    stride: int
    until: float  # by time.monotonic
    most: int | None = None  # cases of each target are numbered below this


@dataclass(frozen=True)
class Begun:
    target: str
    number: int


@dataclass(frozen=True)
class Done:
    target: str
    number: int
    cycles: int
    kinds: Counter[str]
    seconds: float
    story: str | None  # of a violation


def work(connection: Connection, plan: Plan) -> None:
    """Run the plan; the parent hears everything through the connection."""
    faulthandler.enable()
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1)  # the parent asks where a process hangs
    silence()
    following = dict(plan.first)
    while following and time.monotonic() < plan.until:
        for target in list(following):
            end = min(time.monotonic() + SLICE_S, plan.until)
            while target in following and time.monotonic() < end:
                number = following[target]
                if plan.most is not None and number >= plan.most:
                    del following[target]
                    break
                following[target] = number + plan.stride
                connection.send(Begun(target, number))
                connection.send(attempt(target, plan.seed, number))
    connection.close()


def silence() -> None:
    """Warnings of litewf are what damaged files are for."""
    logging.getLogger("litewf").setLevel(logging.CRITICAL + 1)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)


def attempt(target: str, seed: int, number: int) -> Done:
    """Run one case, whatever it does."""
    began = time.monotonic()
    with opened(target, seed, number) as case:
        story = _story(case)
    return Done(target, number, case.cycles, case.kinds, time.monotonic() - began, story)


def _story(case: Case) -> str | None:
    """What broke, if anything; also what some thread died of."""
    died: list[str] = []
    before = threading.excepthook
    threading.excepthook = lambda args: died.append(
        f"the thread {args.thread and args.thread.name} died:\n"
        + "".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback))
    )
    try:
        run(case)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return "".join([traceback.format_exc(), *died])
    finally:
        threading.excepthook = before
    return "".join(died) or None
