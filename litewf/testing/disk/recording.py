"""What a run did to its disk, in one order with what was known meanwhile: every prefix of it is a moment of death."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from litewf.testing.disk.layer import SUFFIXES, Watcher, watched


class Operation(NamedTuple):
    """One change of one file: "create", "delete", "write", "truncate" or "sync".

    `offset` is a size when it truncates. A sync with `directory` also makes the names of all files durable.
    """

    kind: str
    file: str  # the suffix: "" is the database itself
    offset: int = 0
    content: bytes = b""
    directory: bool = False


class Mark(NamedTuple):
    """Something that was known after `after` operations and before the next one."""

    after: int
    what: object


class Beside(NamedTuple):
    """The names of the empty files beside the database, from `after` operations on: lock files, free after a death."""

    after: int
    names: frozenset[str]


class Recording(Watcher):
    """One run: the files as they were at its beginning, the operations, and the marks between them.

    `witness` is asked before each operation for what is known by then (acknowledged, begun, received); whenever the
    answer is another one than before, it becomes a mark.
    """

    def __init__(self, database: Path, witness: Callable[[], object] | None = None) -> None:
        self.before = contents(database)
        self.operations: list[Operation] = []
        self.marks: list[Mark] = []
        self.beside: list[Beside] = []
        self._database = database
        self._witness = witness
        self._known: object = None
        self._lock = threading.RLock()  # marks come from any thread

    def mark(self, what: object) -> None:
        """Put a fact into the order of operations: this is so, whatever happens to the disk after this moment."""
        with self._lock:
            self.marks.append(Mark(len(self.operations), what))

    def asked(self, operation: str, file: str, size: int = 0) -> int:  # noqa: ARG002 - the same for all files
        if operation in ("open", "delete", "write", "truncate", "sync"):
            self.look()
        return size

    def look(self) -> None:
        """Ask the witness now; at the end of a run, for what was known then."""
        names = locks_beside(self._database)
        if not self.beside or self.beside[-1].names != names:
            self.beside.append(Beside(len(self.operations), names))
        if self._witness is None:
            return
        known = self._witness()
        if known != self._known:
            self._known = known
            self.mark(known)

    def created(self, file: str) -> None:
        self._add(Operation("create", file))

    def deleted(self, file: str) -> None:
        self._add(Operation("delete", file))

    def wrote(self, file: str, offset: int, content: bytes) -> None:
        self._add(Operation("write", file, offset, content))

    def truncated(self, file: str, size: int) -> None:
        self._add(Operation("truncate", file, size))

    def synced(self, file: str, *, directory: bool) -> None:
        self._add(Operation("sync", file, directory=directory))

    def _add(self, operation: Operation) -> None:
        with self._lock:
            self.operations.append(operation)


@contextmanager
def recorded(database: Path, witness: Callable[[], object] | None = None) -> Iterator[tuple[Recording, str]]:
    """Record what is done to one database; the recording, and the name of the layer to open it through."""
    recording = Recording(database, witness)
    with watched(database, recording) as vfs:
        yield recording, vfs


def locks_beside(database: Path) -> frozenset[str]:
    """The lock files of engines."""
    prefix = f"{database.name}-lock-"
    return frozenset(name for name in os.listdir(database.parent) if name.startswith(prefix))  # noqa: PTH208 - ten times faster


def contents(database: Path) -> dict[str, bytes]:
    """The files of a database that no connection has open, by suffix."""
    files = {suffix: database.with_name(database.name + suffix) for suffix in ("", *SUFFIXES)}
    return {suffix: path.read_bytes() for suffix, path in files.items() if path.exists()}
