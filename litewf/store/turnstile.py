"""The fair gate to the write lock: every write transaction of every litewf process goes through it.

The owner of a write connection enters before BEGIN and leaves after COMMIT. Two lock files lie beside the
database: whoever wants to write locks `next`, then `turn`, then frees `next` for the one behind it. With
SQLite's own busy handling one process starves; through the gate the shares are even.

It must never be what keeps data safe: SQLite's locks do that. So when someone deletes the files in use, the
processes with the old files and those with new ones merely stop queueing behind each other, until each has
noticed (within 256 entries, or at `refresh`) and joined the new files. litewf itself never unlinks them.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from litewf.errors import EngineClosedError, StoreError
from litewf.store import oslock

# A look gives the GIL away. By count, not by the clock, so that a run can be replayed.
_ENTRIES_BETWEEN_LOOKS = 256


class Turnstile:
    """One process's way through the gate; not re-entrant, and used by one thread at a time."""

    def __init__(self, db: Path) -> None:
        self._db = db
        self._next_path = db.with_name(f"{db.name}-next")
        self._turn_path = db.with_name(f"{db.name}-turn")
        self._entries = 0
        self._turn = -1
        self._next = _open(self._next_path, db)
        try:
            self._turn = _open(self._turn_path, db)
        except BaseException:
            self.close()
            raise

    def enter(self) -> None:
        """Wait for this process's turn, in order of arrival."""
        self._entries += 1
        if self._entries % _ENTRIES_BETWEEN_LOOKS == 0:
            self.refresh()
        try:
            oslock.lock(self._next)
            oslock.lock(self._turn)
            oslock.unlock(self._next)
        except BaseException as error:
            if self._turn < 0:
                raise EngineClosedError("the store is closed in this process") from error
            self._unlock_both()  # KeyboardInterrupt while waiting: leave nobody standing behind this process
            raise

    def leave(self) -> None:
        """Let the next process in."""
        if self._turn >= 0:  # closed inside, or in a forked child: it is somebody else's turn
            oslock.unlock(self._turn)

    def enter_within(self, seconds: float) -> bool:
        """Like enter, but give up in time, for whoever must end even though another process keeps its turn."""
        until = time.monotonic() + seconds
        for fd in (self._next, self._turn):
            while fd < 0 or not oslock.lock(fd, blocking=False):
                if fd < 0 or time.monotonic() >= until:
                    self._unlock_both()
                    return False
                time.sleep(0.005)
        oslock.unlock(self._next)
        return True

    def __enter__(self) -> Self:
        self.enter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def refresh(self) -> None:
        """Open the files again if they were deleted or replaced; call it only outside, at best once a second.

        When that fails (the directory is gone or read-only), the old files go on serving as the gate.
        """
        if self._turn < 0:
            return
        self._next = _current(self._next_path, self._next, self._db)
        self._turn = _current(self._turn_path, self._turn, self._db)

    def close(self) -> None:
        """Leave for good. Idempotent; the files stay, others may be using them."""
        self._unlock_both()
        self.forget_after_fork()

    def forget_after_fork(self) -> None:
        """In a forked child: close the copies without unlocking, so that the parent keeps its turn.

        Until the child does so, a parent that dies inside leaves the gate shut.
        """
        next_, self._next = self._next, -1  # forgotten before they are closed: a number closed twice is another's
        turn, self._turn = self._turn, -1
        for fd in (next_, turn):
            if fd >= 0:
                os.close(fd)

    def _unlock_both(self) -> None:
        for fd in (self._turn, self._next):
            if fd >= 0:
                oslock.unlock(fd)


def _open(path: Path, db: Path) -> int:
    while True:
        try:
            return oslock.open_existing(path)
        except FileNotFoundError:
            pass
        try:
            return oslock.create(path, like=db)
        except FileExistsError:
            pass  # another process was faster: open its file


def _current(path: Path, fd: int, db: Path) -> int:
    """Return `fd` if `path` still names it, else a descriptor of the file that is there now."""
    if oslock.names(path, fd):
        return fd
    try:
        fresh = _open(path, db)
    except StoreError:
        return fd
    os.close(fd)
    return fresh
