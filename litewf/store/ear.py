"""Hears of writes to a file, by whatever process, on systems that tell: Linux, by inotify.

The engine listens to the -wal with it instead of looking at the file all the time. It is a convenience: a process that
hears nothing looks. It never opens the file, since closing it would drop SQLite's locks.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self

from litewf.errors import StoreError

IN_MODIFY, IN_ONESHOT = 0x2, 0x80000000
MOST_BYTES = 4096  # of messages that nobody reads


class Ear:
    """One pair of descriptors; it hears one write after each `prick`."""

    def __init__(self, path: Path, heard_fd: int, add_watch: Callable[[int, bytes, int], int]) -> None:
        self._path = os.fsencode(path)
        self._add_watch = add_watch
        self._heard_fd = heard_fd
        self._closed_fd = os.eventfd(0, os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._heard_fd, select.POLLIN)
        self._poll.register(self._closed_fd, select.POLLIN)

    @classmethod
    def open(cls, path: Path) -> Self | None:
        """None where the system cannot tell, or has no more to give."""
        if sys.platform != "linux":
            return None
        try:
            import ctypes  # noqa: PLC0415 - some builds of Python lack it

            libc = ctypes.CDLL(None)
            heard_fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
            return None if heard_fd < 0 else cls(path, heard_fd, libc.inotify_add_watch)
        except (ImportError, OSError, AttributeError):
            return None

    def prick(self) -> None:
        """Hear the next write; what was written before is past."""
        if self._add_watch(self._heard_fd, self._path, IN_MODIFY | IN_ONESHOT) < 0:
            raise StoreError(f"{os.fsdecode(self._path)}: the system does not tell of writes to it")

    def hear(self) -> bool:
        """Wait for that write; False once it is closed."""
        self._poll.poll()
        if select.select([self._closed_fd], [], [], 0)[0]:
            os.close(self._heard_fd)
            os.close(self._closed_fd)
            return False
        os.read(self._heard_fd, MOST_BYTES)
        return True

    def close(self) -> None:
        """End whoever hears; it closes the descriptors."""
        os.eventfd_write(self._closed_fd, 1)
