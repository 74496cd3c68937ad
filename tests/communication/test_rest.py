"""Virtual time stands while anything happens, also what Python shows of neither a loop nor a queue."""

import contextlib
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from tests.communication.plans import CRASHES, UNHURRIED, play
from tests.communication.test_events_model import PLANS, Plan, played

pytestmark = pytest.mark.usefixtures("silent_logs")


def post_slowly(loop: AbstractEventLoop, fn: Callable[..., None], *args: Any) -> None:
    """Leave a call with a loop that comes to it after some other work."""

    def work(pieces: int) -> None:
        if pieces:
            sum(range(10_000))
            loop.call_soon(work, pieces - 1)
        else:
            fn(*args)

    with contextlib.suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(work, 5)


@settings(max_examples=15, **UNHURRIED)
@given(PLANS, CRASHES)
def test_time_waits_for_a_loop_that_does_not_show_what_it_has_to_do(plan: Plan, crashes: list[int]) -> None:
    """As uvloop's, which has no list of it that Python could see; and this one takes its time."""
    plan = replace(plan, is_async=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("litewf.engine.loops.to_run", lambda _: None)
        patch.setattr("litewf.engine.mail.post", post_slowly)
        play(lambda life: played(plan, life), plan.linger, crashes)


class HandingQueue:
    """As SimpleQueue from Python 3.13 on: what is put for a thread that waits is not in the queue, nor there yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handed = threading.Semaphore(0)
        self._held = 0
        self._waits = False

    def put(self, _item: None) -> None:
        with self._lock:
            if not self._waits:
                self._held += 1
                return
            self._waits = False
        self._handed.release()

    def get(self) -> None:
        with self._lock:
            if self._held:
                self._held -= 1
                return
            self._waits = True
        self._handed.acquire()
        sum(range(300_000))  # it takes its time to come

    def empty(self) -> bool:
        return not self._held


@settings(max_examples=15, **UNHURRIED)
@given(PLANS, CRASHES)
def test_time_waits_for_a_thread_that_was_woken_and_does_not_run_yet(plan: Plan, crashes: list[int]) -> None:
    plan = replace(plan, is_async=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("litewf.engine.drivers.SimpleQueue", HandingQueue)
        play(lambda life: played(plan, life), plan.linger, crashes)
