"""The threads that run sync workflows and sync bodies: grown on demand, bounded, gone when idle."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import Context

LOG = logging.getLogger("litewf")
IDLE_S = 10.0  # after which an idle thread ends


class Pool:
    """At most `most` threads take work from one queue.

    The threads are daemons: a body that never ends must not keep the interpreter from exiting. Each piece of work has a
    context of its own: what user code sets there, such as decimal's precision, is not for whoever comes next.
    """

    def __init__(
        self, most: int, on_backlog: Callable[[], None] = lambda: None, on_free: Callable[[], None] = lambda: None
    ) -> None:
        self.most = most
        self._on_backlog = on_backlog
        self._on_free = on_free  # a thread has nothing to do
        self._lock = threading.Lock()
        self._work_added = threading.Condition(self._lock)
        self._queue: deque[Callable[[], None]] = deque()
        self._threads = 0
        self._idle = 0
        self._closed = False
        self.done = 0  # pieces of work so far, but for the extra ones

    @property
    def backlog(self) -> int:
        """Work that waits for a thread."""
        return len(self._queue)

    @property
    def at_work(self) -> int:
        """Threads and work that is not done."""
        with self._lock:
            return self._threads - self._idle + len(self._queue)

    @property
    def saturated(self) -> bool:
        """Whether new work would have to wait."""
        return self._threads >= self.most and len(self._queue) >= self._idle

    def submit(self, work: Callable[[], None], *, extra: bool = False) -> None:
        """Run `work` in a thread; `extra` gets one even beyond the bound, as its caller blocks a thread itself."""
        with self._lock:
            if extra or (self._idle <= len(self._queue) and self._threads < self.most):
                self._threads += 1
                threading.Thread(target=self._serve, args=(work, extra), name="litewf-worker", daemon=True).start()
                return
            self._queue.append(work)
            self._work_added.notify()
            waiting = len(self._queue) > self._idle
        if waiting:
            self._on_backlog()

    def close(self) -> None:
        """Let idle threads end; work that is queued is still done."""
        with self._lock:
            self._closed = True
            self._work_added.notify_all()

    def join(self, until: float) -> bool:
        """Wait until every thread has ended, at most until `until` on the monotonic clock."""
        with self._lock:
            while self._threads:
                left = until - time.monotonic()
                if left <= 0:
                    return False
                self._work_added.wait(min(left, 0.05))
        return True

    def _serve(self, work: Callable[[], None] | None, extra: bool) -> None:
        try:
            while work is not None:
                try:
                    Context().run(work)
                except BaseException:
                    LOG.exception("a worker thread of litewf failed")
                work = None if extra else self._next()
        finally:
            with self._lock:
                self._threads -= 1
                self._work_added.notify_all()

    def _next(self) -> Callable[[], None] | None:
        with self._lock:
            self.done += 1
            self._idle += 1
            free = not self._queue
        if free:
            self._on_free()
        with self._lock:
            try:
                while not self._queue:
                    if self._closed or not self._work_added.wait(IDLE_S):
                        return self._queue.popleft() if self._queue else None
                return self._queue.popleft()
            finally:
                self._idle -= 1
