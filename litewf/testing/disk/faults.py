"""Disks that fail: the first, the second, the third … operation of a kind, once or from then on.

An exception in a Python layer surfaces from the statement even where SQLite would have gone on without a word, as in a
checkpoint after a commit; litewf checkpoints on its own, so for it the difference does not matter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from pathlib import Path

import apsw

from litewf.testing.disk.layer import Watcher, watched

CODES = {
    "I/O error": apsw.SQLITE_IOERR,
    "full": apsw.SQLITE_FULL,
    "corrupt": apsw.SQLITE_CORRUPT,
}
ERRORS = (*CODES, "half")  # half of what was asked for is read or written
OPERATIONS = ("open", "read", "write", "sync", "truncate", "delete", "size")
ENOUGH = 100_000  # operations in one run; more mean that it never ends


class Fault(Watcher):
    """Lets the `at`-th operation fail, counted from 1, and all that follow it if it is `lasting`.

    Counted are only the operations named, on the files named by their suffix; None means all.
    """

    def __init__(
        self,
        error: str = "I/O error",
        at: int = 1,
        *,
        lasting: bool = False,
        operations: Collection[str] = OPERATIONS,
        files: Collection[str] | None = None,
    ) -> None:
        if error not in ERRORS:
            raise ValueError(f"a disk fails with one of {ERRORS}, not {error!r}")
        if not operations or not set(operations) <= set(OPERATIONS):
            raise ValueError(f"operations are some of {OPERATIONS}, not {tuple(operations)!r}")
        self.struck = 0  # operations that have failed
        self.seen = 0
        self._error = error
        self._at = at
        self._lasting = lasting
        self._operations = frozenset(operations)
        self._files = files
        self._healed = False
        self._lock = threading.Lock()

    def heal(self) -> None:
        """Let nothing fail any more."""
        self._healed = True

    def asked(self, operation: str, file: str, size: int = 0) -> int:
        if operation not in self._operations or (self._files is not None and file not in self._files):
            return size
        with self._lock:
            self.seen += 1
            hit = not self._healed and (self.seen == self._at or (self._lasting and self.seen > self._at))
            self.struck += hit
        if not hit:
            return size
        if self._error != "half":
            raise apsw.exception_for(CODES[self._error])
        return size // 2


def fail_everywhere(database: Path, run: Callable[[str, Fault], object], error: str = "I/O error", *,
                    lasting: bool = False, operations: Collection[str] = OPERATIONS,
                    files: Collection[str] | None = None, stride: int = 1,
                    expected: type[BaseException] | tuple[type[BaseException], ...] = Exception) -> int:  # fmt: skip
    """Call `run` with the layer to open the database through, and let the 1st, 2nd, 3rd … operation of it fail.

    Ends with the first run in which nothing failed; the number of runs before it. What is `expected` may be raised by
    a run in which something failed; the run itself cleans up, recovers and checks.
    """
    at, runs = 1, 0
    while at <= ENOUGH:
        fault = Fault(error, at, lasting=lasting, operations=operations, files=files)
        with watched(database, fault) as vfs:
            try:
                run(vfs, fault)
            except expected:
                if not fault.struck:
                    raise
        if not fault.struck:
            return runs
        at, runs = at + stride, runs + 1
    raise AssertionError(f"a run has more than {ENOUGH} operations")
