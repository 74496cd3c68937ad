"""The standard library's SQLite behind the face of apsw's connection, as far as the store uses that.

For `AsyncClient`, whose connections aiosqlite opens. The store's functions are written once, for apsw; what differs is
translated here: names of methods, errors, tables of keys. The library may be old, so it must never checkpoint: it is
told not to, and where it cannot be told, at closing, it is kept from it (see `open_reader`).
"""

from __future__ import annotations

import re
import sqlite3
import sys
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import apsw

from litewf.errors import StoreUnsupportedError, StoreVersionError
from litewf.store.database import BUSY_TIMEOUT_MS, SYNCHRONOUS, Durability, unhook

OLDEST_STANDARD = (3, 39, 4)  # the oldest that the tests have passed with
STATEMENTS = 300  # prepared ones, kept for each connection
NUMBERED, UNNUMBERED = re.compile(r"\?\d"), re.compile(r"\?(?!\d)")
TABLE: type = apsw.carray  # type: ignore[assignment]  # the stubs call it a function
NO_CHECKPOINT_ON_CLOSE = "SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE"


def check_standard() -> None:
    """Refuse an SQLite that lacks what the tables need."""
    if sqlite3.sqlite_version_info < OLDEST_STANDARD:
        oldest = ".".join(map(str, OLDEST_STANDARD))
        raise StoreVersionError(
            f"the SQLite of this Python is {sqlite3.sqlite_version}, and AsyncClient needs {oldest} or newer; use"
            " Client, which brings its own, and its _async methods"
        )


class Threaded(sqlite3.Connection):
    """A connection on a thread of aiosqlite's, where `commit` runs what was handed over for it.

    aiosqlite offers one call for each statement, and what the store does takes several that belong together. So they
    are put into one function, and its public `commit()` carries that to the thread.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.errands: deque[Callable[[], None]] = deque()

    def commit(self) -> None:
        """Run the next of the errands; each is handed over with one call of this."""
        self.errands.popleft()()


class Rows(sqlite3.Cursor):
    """The rows of a statement; what goes wrong only while they are fetched is raised as apsw would, too."""

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except sqlite3.Error as error:
            self.close()  # half read, it would keep showing the file as it is now
            raise as_apsw(error) from error

    def fetchone(self) -> Any:
        return next(self, None)

    def fetchall(self) -> list[Any]:
        return list(self)

    @property
    def get(self) -> Any:
        """The one value of the one row, or None."""
        row = self.fetchone()
        return None if row is None else row[0]


class Standard:
    """A connection of the standard library that answers as apsw's does."""

    def __init__(self, connection: Threaded, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._own = f"/*{uuid.uuid4().hex}*/"  # marks texts that a user's SQL must not find prepared
        self._tables = apsw.Connection(":memory:")  # reads what only apsw can: the tables that are bound
        unhook(self._tables)

    def execute(self, sql: str, parameters: Any = (), *, can_cache: bool = True) -> Iterator[Any]:
        """Run one or several statements; the rows of all."""
        if not can_cache:
            sql += self._own
        text, numbered = translated(sql)
        try:
            return self._connection.cursor(Rows).execute(text, self._bound(parameters, numbered=numbered))
        except (sqlite3.ProgrammingError, sqlite3.Warning) as error:  # a Warning until Python 3.11
            if "one statement" not in str(error):
                raise as_apsw(error) from error
            return self._one_by_one(text, parameters)
        except sqlite3.Error as error:
            raise as_apsw(error) from error

    def executemany(self, sql: str, parameters: Iterable[Any]) -> Iterator[Any]:
        """Run a statement for each of several sets of parameters; the rows of all."""
        return iter([row for each in parameters for row in self.execute(sql, each)])

    def _one_by_one(self, sql: str, parameters: Any) -> Iterator[Any]:
        if parameters and not isinstance(parameters, Mapping):
            raise apsw.SQLError("several statements at once take named parameters, or none")
        return iter([row for statement in statements(sql) for row in self.execute(statement, parameters)])

    def _bound(self, parameters: Any, *, numbered: bool) -> Any:
        if isinstance(parameters, Mapping):
            return parameters
        values = [self._as_json(value) if type(value) is TABLE else value for value in parameters]
        if numbered:  # given as names, since Python 3.12.0 to 3.12.3 warn of numbers
            return {str(number): value for number, value in enumerate(values, 1)}
        return values

    def _as_json(self, table: object) -> str:
        found = self._tables.execute("SELECT json_group_array(value) FROM carray(?)", (table,)).fetchone()
        return cast("str", found[0] if found else "[]")

    def pragma(self, name: str, value: str | int | None = None) -> Any:
        """Read a pragma, or set it."""
        row = next(self.execute(f"PRAGMA {name}" if value is None else f"PRAGMA {name}={value}"), None)
        return None if row is None else row[0]

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def changes(self) -> int:
        """How many rows the last statement changed."""
        return cast("int", self._connection.execute("SELECT changes()").fetchone()[0])

    def last_insert_rowid(self) -> int:
        return cast("int", self._connection.execute("SELECT last_insert_rowid()").fetchone()[0])

    def total_changes(self) -> int:
        return self._connection.total_changes

    def set_authorizer(self, authorizer: Callable[..., int] | None) -> None:
        self._connection.set_authorizer(authorizer)

    authorizer = property(None, set_authorizer)

    def close(self) -> None:
        self._tables.close()
        self._connection.close()


@lru_cache(STATEMENTS)
def translated(sql: str) -> tuple[str, bool]:
    """A text as this library reads it, and whether all of its parameters are numbered."""
    text = sql.replace("carray(", "json_each(")
    return text, NUMBERED.search(text) is not None and UNNUMBERED.search(text) is None


def as_apsw(error: sqlite3.Error | sqlite3.Warning) -> Exception:
    """The same failure as apsw raises it, so that it is told and handled in one place."""
    code, text = getattr(error, "sqlite_errorcode", None), str(error)
    if code is not None:
        raised: Exception = apsw.exception_for(code)
        raised.args = (text,)
        return raised
    # found by the module itself, before or after SQLite was asked
    if "is not supported" in text:
        return TypeError(text)
    if "decode" in text:
        return apsw.CorruptError(text)
    return apsw.BindingsError(text) if "inding" in text else apsw.SQLError(text)


def statements(sql: str) -> Iterator[str]:
    """The statements of a script, one after the other."""
    pending = ""
    for part in sql.split(";"):
        pending += part + ";"
        if apsw.complete(pending):
            yield pending
            pending = ""
    if pending.strip(" \t\r\n;"):
        yield pending.removesuffix(";")


# --- opening ------------------------------------------------------------------------------------------------------


def open_writer(path: Path, durability: Durability = "full") -> Threaded:
    """A connection that writes; the file must exist."""
    return _opened(path, "rw", lambda one: _to_write(one, path, durability))


def open_reader(path: Path) -> Threaded:
    """A connection that cannot write, and does no harm when it is the last to be closed.

    Whoever closes a file last copies the WAL into it and removes that. Python before 3.12 cannot tell SQLite to leave
    it. But to do so it locks the file against everybody, which it cannot while another connection is open, nor through
    one that was opened for reading. So the writers are closed while a reader is open, and the readers at the end.
    """
    return _opened(path, "ro", lambda one: _set(one, path, "query_only", 1))


def open_nothing() -> Threaded:
    """A connection to no file."""
    connection = sqlite3.connect(":memory:", factory=Threaded)
    assert isinstance(connection, Threaded)
    return connection


def _opened(path: Path, mode: str, prepare: Callable[[Standard], None]) -> Threaded:
    try:
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}", uri=True, factory=Threaded, isolation_level=None,
            timeout=BUSY_TIMEOUT_MS / 1000, cached_statements=STATEMENTS,
        )  # fmt: skip
    except sqlite3.Error as error:
        raise as_apsw(error) from error
    assert isinstance(connection, Threaded)
    try:
        if hasattr(connection, "setconfig"):  # Python 3.12
            connection.setconfig(getattr(sqlite3, NO_CHECKPOINT_ON_CLOSE), True)
        standard = Standard(connection, path)
        _set(standard, path, "wal_autocheckpoint", 0)
        _set(standard, path, "foreign_keys", 1)
        _set(standard, path, "temp_store", 2)
        _set(standard, path, "trusted_schema", 0)
        prepare(standard)
    except BaseException:
        connection.close()
        raise
    return connection


def _to_write(connection: Standard, path: Path, durability: Durability) -> None:
    _set(connection, path, "journal_mode", "wal")
    _set(connection, path, "synchronous", SYNCHRONOUS[durability])
    if sys.platform == "darwin":  # there, fsync alone leaves data in the drive's cache
        _set(connection, path, "fullfsync", 1)


def _set(connection: Standard, path: Path, name: str, value: str | int) -> None:
    """Set a pragma and read it back: SQLite ignores what it does not like, or does not know yet."""
    connection.pragma(name, value)
    if (found := connection.pragma(name)) != value:
        raise StoreUnsupportedError(
            f"{path}: the SQLite of this Python ({sqlite3.sqlite_version}) refused {name}={value} (it says {found!r});"
            " put the file on a local disk and let no other program change its settings"
        )
