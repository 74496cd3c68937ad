"""A file that is only looked at: a read connection, without writer, threads or locks.

For the command line, which opens it in a millisecond, beside any number of engines and whatever they do. It never
writes, and never brings the tables up to date: whoever uses it asks `is_outdated` first.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import apsw

from litewf.errors import StoreUnsupportedError
from litewf.store import place
from litewf.store.database import check_sqlite, translated
from litewf.store.migrate import migrations, version_of
from litewf.store.readers import Readers, snapshot

R = TypeVar("R")


class Inspection:
    """A file, to ask."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        check_sqlite()
        self.path: Path = place.resolve(path)
        place.check(self.path, create=False, header=True, newest=len(migrations()))
        self._readers = Readers(self.path)

    def read(self, query: Callable[[apsw.Connection], R]) -> R:
        """Ask the file; all queries of one call see the same moment."""

        def look(connection: apsw.Connection) -> R:
            with snapshot(connection):
                return query(connection)

        return self._readers.read(look)

    def version(self) -> int:
        """The schema's version; a file of another program, or of a newer litewf, is refused."""
        return self._readers.read(lambda connection: version_of(connection, self.path, len(migrations())))

    @property
    def is_outdated(self) -> bool:
        """Whether an older litewf made the tables, so that our queries may not fit them."""
        return 0 < self.version() < len(migrations())

    def check_version(self) -> None:
        """Refuse a file that holds no store."""
        if self.version() == 0:
            raise StoreUnsupportedError(f"{self.path} holds no workflows yet: no engine has opened it")

    def close(self) -> None:
        with translated(self.path, "close"):
            self._readers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
