"""Lock files and locks as the operating system knows them.

`lockfile` and `turnstile` call it; nothing else in litewf touches an OS lock. A lock belongs to the open file
(flock semantics): closing other descriptors never drops it, a fork shares it, the end of its last holder
frees it. It must never be used on the database, its -wal or its -shm: those locks are SQLite's own.

`portalocker` was measured and left out: importing it takes 36 to 42 ms and a call 3.5 us (the bare call
0.4 us), and shared locks on Windows would need `pywin32` as well.

On POSIX a lock is first tried, without waiting, through a call that keeps the GIL. With `fcntl.flock`, which
gives it away, the four calls of a transaction took 0.4 to 1.1 ms on average beside a busy thread, 20 ms at
worst; this way they take 5 us, and without that thread 2.6 us either way. The price: on a network file
system, which `place` refuses, the whole interpreter would wait for the server.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from litewf.errors import StoreError, StoreFullError, StoreUnsupportedError

# A link or a FIFO in the place of a lock file is neither followed nor waited for.
_FLAGS = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_UNSUPPORTED = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
}


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _FAIL_AT_ONCE, _EXCLUSIVE, _LOCK_VIOLATION = 1, 2, 33
    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)

    class _Overlapped(ctypes.Structure):
        _fields_ = (
            ("internal", ctypes.c_void_p),
            ("internal_high", ctypes.c_void_p),
            ("offset", wintypes.DWORD),
            ("offset_high", wintypes.DWORD),
            ("event", wintypes.HANDLE),
        )

    def lock(fd: int, *, shared: bool = False, blocking: bool = True) -> bool:
        """Lock the open file; False when another holds it and `blocking` is false."""
        flags = (0 if shared else _EXCLUSIVE) | (0 if blocking else _FAIL_AT_ONCE)
        handle = wintypes.HANDLE(msvcrt.get_osfhandle(fd))
        if _kernel32.LockFileEx(handle, flags, 0, 1, 0, ctypes.byref(_Overlapped())):
            return True
        code = ctypes.get_last_error()
        if code == _LOCK_VIOLATION and not blocking:
            return False
        raise ctypes.WinError(code)

    def unlock(fd: int) -> None:
        """Free the open file; nothing happens when it is not locked."""
        handle = wintypes.HANDLE(msvcrt.get_osfhandle(fd))
        _kernel32.UnlockFileEx(handle, 0, 1, 0, ctypes.byref(_Overlapped()))

    def _above_streams(fd: int) -> int:
        """Windows handles are no small numbers."""
        return fd

    def _give_mode_of(fd: int, like: os.stat_result) -> None:
        """Windows files inherit their rights from the directory."""

else:
    import fcntl
    from collections.abc import Callable

    def _without_ctypes(_fd: int, _operation: int) -> int:
        return -1  # as if the lock were held: `fcntl.flock` then decides

    def _flock_keeping_the_gil() -> Callable[[int, int], int]:
        try:
            import ctypes  # noqa: PLC0415 - some builds of Python lack it

            # Without `argtypes` a call takes 0.5 us, with them 0.8 us; both convert two ints alike.
            flock: Callable[[int, int], int] = ctypes.PyDLL(None).flock
        except (ImportError, OSError, AttributeError):
            return _without_ctypes
        return flock

    _flock = _flock_keeping_the_gil()

    def lock(fd: int, *, shared: bool = False, blocking: bool = True) -> bool:
        """Lock the open file; False when another holds it and `blocking` is false."""
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        if _flock(fd, kind | fcntl.LOCK_NB) == 0:
            return True
        try:
            fcntl.flock(fd, kind if blocking else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(fd: int) -> None:
        """Free the open file; nothing happens when it is not locked."""
        if _flock(fd, fcntl.LOCK_UN) != 0:
            fcntl.flock(fd, fcntl.LOCK_UN)

    def _above_streams(fd: int) -> int:
        """Leave 0 to 2 to the standard streams: whoever opens those again would close a lock."""
        if fd > 2:
            return fd
        try:
            return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
        finally:
            os.close(fd)

    def _give_mode_of(fd: int, like: os.stat_result) -> None:
        """Give the file the owner and mode of the database, as SQLite does for its -wal.

        Otherwise one call of the command line as root would shut the program itself out.
        """
        os.fchmod(fd, stat.S_IMODE(like.st_mode) & 0o666)
        if os.geteuid() == 0:
            os.fchown(fd, like.st_uid, like.st_gid)


def open_existing(path: Path) -> int:
    """Open a lock file that is there; raises FileNotFoundError when it is not."""
    try:
        return _above_streams(os.open(path, _FLAGS))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _as_store_error(path, error) from error


def create(path: Path, *, like: Path) -> int:
    """Create a lock file with the rights of the database `like`; raises FileExistsError when it is there."""
    try:
        fd = _above_streams(os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o644))
    except FileExistsError:
        raise
    except OSError as error:
        raise _as_store_error(path, error) from error
    with suppress(OSError):  # a new store has no rights yet to copy, and some file systems know none
        _give_mode_of(fd, like.stat())
    return fd


def names(path: Path, fd: int) -> bool:
    """Whether `path` still names the open file: it was not unlinked, moved or replaced."""
    try:
        return os.path.samestat(path.lstat(), os.fstat(fd))
    except OSError:
        return False


def _as_store_error(path: Path, error: OSError) -> StoreError:
    what = f"cannot open {path}, which litewf keeps beside the database: {error.strerror}"
    if error.errno in _FULL:
        return StoreFullError(f"{what}; free some space")
    if error.errno in _UNSUPPORTED:
        return StoreUnsupportedError(f"{what}; litewf must be able to create and lock files in that directory")
    return StoreError(what)
