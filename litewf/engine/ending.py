"""How an engine ends: in order, at once because the file is not its own any more, or as a killed process does.

Nothing here may wait without a bound: user code may never end, and another process may keep the file locked.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from litewf.errors import EngineClosedError, LitewfError
from litewf.store import executors

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

LOG = logging.getLogger("litewf")
LEAST_S = 1.0  # for the last writes and the loop, however short the timeout
THREADS_S = 0.2  # for worker threads that have nothing left to do


class Ending:
    """The end of an engine, which comes once."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._begun = threading.Lock()
        self._over = threading.Event()

    def shutdown(self, timeout_s: float) -> None:
        """Claim nothing more, let bodies end within the time, give everything back, close the file.

        Who calls it while another thread does so waits for that.
        """
        if not self._begun.acquire(blocking=False):
            self._over.wait(timeout_s)
            return
        try:
            self._shutdown(time.monotonic() + timeout_s)
        finally:
            self._over.set()

    def _shutdown(self, until: float) -> None:
        try:
            self._end_executions(until)
        finally:  # whatever went wrong: others must get the file and the workflows
            try:
                self._give_up_file(until)
            finally:
                self._end_threads(until)

    def _end_executions(self, until: float) -> None:
        runtime = self._runtime
        runtime.dispatcher.claim_no_more()
        runtime.stop_all("closing")  # before anybody is told of the end: after that, no body begins
        runtime.closed = True
        runtime.dispatcher.stop(_left(until, 0.1))
        runtime.stop_all("closing")  # what was started in between, and the callers who wait outside
        runtime.wait_until_empty(until)

    def _give_up_file(self, until: float) -> None:
        runtime = self._runtime
        if runtime.closed_because is None:
            self._close_store(_left(until, LEAST_S))
        else:
            runtime.store.crash(runtime.closed_because)  # the file is not this engine's any more

    def _end_threads(self, until: float) -> None:
        runtime = self._runtime
        runtime.pool.close()
        runtime.reading.close()
        runtime.loops.close(_left(until, LEAST_S))
        runtime.pool.join(time.monotonic() + _left(until, THREADS_S))
        runtime.reading.join(time.monotonic() + _left(until, THREADS_S))

    def _close_store(self, timeout_s: float) -> None:
        runtime = self._runtime
        store, executor, now_us = runtime.store, runtime.able.executor, runtime.now_us()
        try:
            if runtime.settings.serves:
                store.writer.turn(lambda tx: executors.unregister(tx, executor, now_us), patience_s=timeout_s)
        except LitewfError as error:
            store.die_with_lock()
            LOG.warning("litewf could not give its workflows back: %s; the next engine recovers them", error)
        if running := runtime.labels():
            LOG.warning("litewf shut down while %d step bodies were still running (%s); their outcomes are not"
                        " recorded", len(running), ", ".join(running[:3]))  # fmt: skip
        store.close(timeout_s)

    def lose(self, because: LitewfError) -> None:
        """The file or the lock is not this engine's any more: stop without writing."""
        LOG.error("litewf stops: %s", because)
        runtime = self._runtime
        runtime.closed, runtime.closed_because = True, because
        runtime.stop_all("lost")
        runtime.store.stop(because)

    def crash(self, death: BaseException) -> None:
        """End as a killed process would, for tests: nothing more is written, the lock is free, all threads end."""
        runtime = self._runtime
        runtime.closed, runtime.closed_because = True, EngineClosedError(f"the engine died: {death}")
        runtime.store.writer.die(death)
        runtime.dispatcher.stop(1.0)
        runtime.stop_all("lost")
        runtime.pool.close()
        runtime.reading.close()
        runtime.loops.close(1.0)
        runtime.pool.join(time.monotonic() + 1.0)
        runtime.reading.join(time.monotonic() + 1.0)
        runtime.store.crash(death)

    def after_fork(self) -> None:
        """In a forked child: the engine is the parent's."""
        self._runtime.closed = True
        self._runtime.closed_because = EngineClosedError(
            "this engine belongs to the process that launched it, and this is a fork of that process; launch an engine"
            " in a process that was spawned, not forked"
        )
        self._begun = threading.Lock()  # another thread may have held it
        self._begun.acquire()
        self._over.set()


def _left(until: float, least_s: float) -> float:
    return max(until - time.monotonic(), least_s)
