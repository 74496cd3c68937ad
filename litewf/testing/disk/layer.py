"""A layer between SQLite and the system's files that tells a `Watcher` of each operation, or lets it fail one.

The files stay where they are, and so does SQLite's shared memory, which passes below: an engine with several
connections, and several engines, run on it as on the system's own layer. What is not the watched database, its journal
or its WAL (temporary files, backups) is passed on unseen.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

SUFFIXES = ("-journal", "-wal")  # of the files beside the database that hold content; the -shm is rebuilt
_numbers = itertools.count(1)


class Watcher:
    """What hears of each operation on the files of one database; `file` is the suffix, "" for the database itself.

    `asked` is called before an operation and may raise, which then fails with SQLite's error of that code; it returns
    how many bytes of it may happen. The others are called after the operation, in the order in which the disk saw them.
    """

    def asked(self, operation: str, file: str, size: int = 0) -> int:  # noqa: ARG002 - for those who override it
        return size

    def created(self, file: str) -> None: ...
    def deleted(self, file: str) -> None: ...
    def wrote(self, file: str, offset: int, content: bytes) -> None: ...
    def truncated(self, file: str, size: int) -> None: ...

    def synced(self, file: str, *, directory: bool) -> None:
        """All that was written to the file is on the disk; with `directory`, all names beside it too."""


@contextmanager
def watched(database: Path, watcher: Watcher) -> Iterator[str]:
    """Register a layer for one database; the name of it, which is what `World(vfs=...)` takes."""
    layer = _Layer(f"litewf-disk-{next(_numbers)}", database, watcher)
    try:
        yield layer.name
    finally:
        layer.unregister()


class _Layer(apsw.VFS):
    def __init__(self, name: str, database: Path, watcher: Watcher) -> None:
        super().__init__(name, "")
        self.name = name
        self.watcher = watcher
        self.order = threading.RLock()  # so that what is told has the order in which it happened
        self._files = {os.path.realpath(database) + suffix: suffix for suffix in ("", *SUFFIXES)}

    def _suffix(self, path: str | None) -> str | None:
        return None if path is None else self._files.get(os.path.realpath(path))

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        suffix = self._suffix(path)
        if path is None or suffix is None:
            return apsw.VFSFile("", name, flags)
        with self.order:
            self.watcher.asked("open", suffix)
            new = not os.path.exists(path)  # noqa: PTH110 - called by SQLite for each file
            with_name = suffix != "" and bool(flags[0] & apsw.SQLITE_OPEN_CREATE)
            file = _File(self, name, suffix, flags, with_name=with_name)
            if new:
                self.watcher.created(suffix)
            return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - SQLite's name
        suffix = self._suffix(filename)
        if suffix is None:
            super().xDelete(filename, syncdir)
            return
        with self.order:
            self.watcher.asked("delete", suffix)
            super().xDelete(filename, syncdir)
            self.watcher.deleted(suffix)
            if syncdir:
                self.watcher.synced(suffix, directory=True)

    def excepthook(self, *_error: object) -> bool:
        """Say nothing: what a watcher raises becomes the error of a statement."""
        return True


class _File(apsw.VFSFile):
    """One open file; with the first sync of a journal or WAL, SQLite's layer makes its name durable, too.

    That is so even if another connection had made the file.
    """

    def __init__(
        self, layer: _Layer, name: str | apsw.URIFilename | None, suffix: str, flags: list[int], *, with_name: bool
    ) -> None:
        super().__init__("", name, flags)
        self._order = layer.order
        self._watcher = layer.watcher
        self._suffix = suffix
        self._with_name = with_name

    def excepthook(self, *_error: object) -> bool:
        """Say nothing, as above."""
        return True

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's name
        allowed = self._watcher.asked("read", self._suffix, amount)
        return super().xRead(amount, offset)[:allowed]

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        with self._order:
            content = bytes(data)[: self._watcher.asked("write", self._suffix, len(data))]
            super().xWrite(content, offset)
            self._watcher.wrote(self._suffix, offset, content)
        if len(content) < len(data):
            raise apsw.exception_for(apsw.SQLITE_FULL)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - SQLite's name
        with self._order:
            self._watcher.asked("truncate", self._suffix)
            super().xTruncate(newsize)
            self._watcher.truncated(self._suffix, newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        with self._order:
            self._watcher.asked("sync", self._suffix)
            super().xSync(flags)
            self._watcher.synced(self._suffix, directory=self._with_name)
            self._with_name = False

    def xFileSize(self) -> int:  # noqa: N802 - SQLite's name
        self._watcher.asked("size", self._suffix)
        return super().xFileSize()
