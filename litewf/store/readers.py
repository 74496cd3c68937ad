"""Read connections, lent one caller at a time, so that listings never wait for the writer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TypeVar

import apsw

from litewf.errors import EngineClosedError, StoreCorruptError
from litewf.store.database import damaged_text, keep_for_ever, open_reader, translate

R = TypeVar("R")
Reader = apsw.Connection  # the type for those who put queries together from the store's functions
KEPT = 4  # idle connections; more are opened on demand and closed after use


@contextmanager
def snapshot(connection: apsw.Connection) -> Iterator[None]:
    """Let several queries see the file as of one moment; inside a transaction they do so anyway."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


def ask(connection: apsw.Connection, query: Callable[[apsw.Connection], R], path: Path) -> R:
    """Run `query`; SQLite's errors come as litewf's."""
    try:
        return query(connection)
    except apsw.Error as error:
        raise translate(error, path, "read", connection) from error
    except UnicodeDecodeError as error:
        raise damaged_text(error, path, "read") from error


@contextmanager
def damaged(what: str, remedy: str = "restore a backup") -> Iterator[None]:
    """Say of a row that nobody can have written which one it is, and what to do."""
    try:
        yield
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise StoreCorruptError(f"the row of {what} is damaged ({error}); {remedy}") from error


class Readers:
    """A few read connections to one file."""

    def __init__(self, path: Path, vfs: str | None = None) -> None:
        self._path = path
        self._vfs = vfs
        self._idle: list[apsw.Connection] = []
        self._lock = Lock()
        self._closed = False

    def read(self, query: Callable[[apsw.Connection], R]) -> R:
        """Run `query` on a connection of its own; it sees every commit that returned before."""
        connection = self._take()
        try:
            return ask(connection, query, self._path)
        finally:
            self._give_back(connection)

    @property
    def any_idle(self) -> bool:
        """Whether one is open and free."""
        return bool(self._idle)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def abandon(self) -> None:
        """Forget the connections without closing them: after a fork they are the parent's."""
        self._closed = True
        self._lock = Lock()  # another thread may have held it
        for connection in self._idle:
            keep_for_ever(connection)
        self._idle = []

    def _take(self) -> apsw.Connection:
        with self._lock:
            if self._closed:
                raise EngineClosedError(f"{self._path} is closed; launch the engine again")
            if self._idle:
                return self._idle.pop()
        return open_reader(self._path, self._vfs)

    def _give_back(self, connection: apsw.Connection) -> None:
        # After an error in between it would show old rows for ever.
        half_read = connection.txn_state() != apsw.SQLITE_TXN_NONE
        with self._lock:
            if not self._closed and not half_read and len(self._idle) < KEPT:
                self._idle.append(connection)
                return
        connection.close()
