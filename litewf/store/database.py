"""Connections to the file: opened with the right settings, read back; errors translated once.

Called by the writer, the readers and the migrations. No other module opens the file or names SQLite's errors.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import apsw

from litewf.errors import (
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreUnsupportedError,
    StoreVersionError,
)

Durability = Literal["full", "normal"]
BUSY_TIMEOUT_MS = 10_000  # for foreign tools; litewf's own writers queue at the turnstile
OLDEST_SQLITE = (3, 51, 3)  # before, a reset of the WAL may corrupt the file
WITHDRAWN_SQLITE = (3, 52, 0)
WRITER_CACHE_KB, READER_CACHE_KB = 8_000, 2_000  # of each connection; the system caches the file as well
SYNCHRONOUS = {"normal": 1, "full": 2}


def check_sqlite() -> None:
    """Refuse an SQLite that can corrupt a WAL file."""
    text = apsw.sqlite_lib_version()
    version = tuple(int(part) for part in text.split(".")[:3])
    if version < OLDEST_SQLITE or version == WITHDRAWN_SQLITE:
        raise StoreVersionError(
            f"SQLite {text} can corrupt a WAL file; install apsw 3.51.3 or newer (not 3.52.0): pip install -U apsw"
        )


def open_writer(path: Path, durability: Durability, vfs: str | None = None) -> apsw.Connection:
    """A connection that writes; the file is created when missing."""
    with _opened(path, 300, vfs) as connection:
        connection.transaction_mode = "IMMEDIATE"
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        if connection.pragma("page_count") == 0:  # an old file keeps its own: to set it is a write
            connection.pragma("auto_vacuum", 2)  # so that pruning can give space back
        _set(connection, path, "journal_mode", "wal")
        _set(connection, path, "synchronous", SYNCHRONOUS[durability])
        _set(connection, path, "wal_autocheckpoint", 0)
        _common(connection, path, WRITER_CACHE_KB)
        if sys.platform == "darwin":  # there, fsync alone leaves data in the drive's cache
            _set(connection, path, "fullfsync", 1)
            _set(connection, path, "checkpoint_fullfsync", 1)
        return connection


def relax(connection: apsw.Connection, path: Path, durability: Durability) -> None:
    """Sync no commit from now on; the file says so from before the first of them."""
    if connection.execute("SELECT relaxed FROM store").get != 1:
        connection.execute("UPDATE store SET relaxed = 1")
    _set(connection, path, "synchronous", SYNCHRONOUS[durability])


def open_reader(path: Path, vfs: str | None = None) -> apsw.Connection:
    """A connection that cannot write."""
    # never read-only: a WAL reader must be able to recover the WAL
    with _opened(path, 100, vfs, create=0) as connection:
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)
        _set(connection, path, "wal_autocheckpoint", 0)
        _set(connection, path, "query_only", 1)
        _common(connection, path, READER_CACHE_KB)
        return connection


@contextmanager
def _opened(
    path: Path, cached: int, vfs: str | None, create: int = apsw.SQLITE_OPEN_CREATE
) -> Iterator[apsw.Connection]:
    """A new connection, closed again when it cannot be set up."""
    with translated(path, "open"):
        try:
            connection = apsw.Connection(
                str(path), flags=apsw.SQLITE_OPEN_READWRITE | create, vfs=vfs, statementcachesize=cached
            )
        except apsw.Error:
            raise
        except Exception as error:  # the host program's code runs on every connection of the process
            raise StoreError(
                f"{path}: a function in apsw.connection_hooks raised {error!r}; fix or remove it"
            ) from error
        try:
            unhook(connection)
            yield connection
        except BaseException:
            connection.close()
            raise


def unhook(connection: apsw.Connection) -> None:
    """Undo what the host program's apsw.connection_hooks did to a connection that is not its own."""
    connection.row_trace = connection.exec_trace = connection.authorizer = None
    connection.convert_binding = connection.convert_jsonb = None
    connection.cursor_factory = apsw.Cursor
    connection.set_commit_hook(None)
    connection.set_rollback_hook(None)
    connection.set_wal_hook(None)
    connection.set_update_hook(None)
    connection.set_progress_handler(None)
    connection.set_busy_handler(None)


def _common(connection: apsw.Connection, path: Path, cache_kb: int) -> None:
    _set(connection, path, "foreign_keys", 1)
    _set(connection, path, "temp_store", 2)
    _set(connection, path, "trusted_schema", 0)
    _set(connection, path, "cache_size", -cache_kb)
    # plans must not depend on bound values: to find out whether a partial index fits one, SQLite would prepare the
    # statement again at every execution with another value, which costs more than most of our queries
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    # closing must not checkpoint: only the writer does, under the turnstile
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


def _set(connection: apsw.Connection, path: Path, name: str, value: str | int) -> None:
    """Set a pragma and read it back: SQLite ignores what it does not like."""
    connection.pragma(name, value)
    if connection.pragma(name) != value:
        raise StoreUnsupportedError(
            f"{path}: SQLite refused {name}={value} (it says {connection.pragma(name)!r}); "
            "put the file on a local disk and let no other program change its settings"
        )


@contextmanager
def translated(path: Path, doing: str) -> Iterator[None]:
    """Turn SQLite's errors into litewf's."""
    try:
        yield
    except apsw.Error as error:
        raise translate(error, path, doing) from error


def keep_for_ever(connection: object) -> None:
    """In a forked child: never finalize what is the parent's, not even when the interpreter ends.

    Closing it could wait for a mutex whose thread exists only in the parent. At its own end apsw would close every
    connection, so that must not come either.
    """
    _kept.append(connection)
    with suppress(ImportError, AttributeError):
        import ctypes  # noqa: PLC0415 - some builds of Python lack it

        for one in (connection, apsw):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))


_kept: list[object] = []


def damaged_text(error: UnicodeDecodeError, path: Path, action: str) -> StoreCorruptError:
    """What apsw's answer to a text that is no UTF-8 means."""
    found = StoreCorruptError(f"{path}: cannot {action}: a text in it is damaged ({error}); restore a backup")
    found.__cause__ = error
    return found


def unknown_outcome(error: apsw.Error, connection: apsw.Connection) -> bool:
    """Whether a commit that raised this may have happened all the same."""
    if not isinstance(error, apsw.IOError | apsw.CorruptError | apsw.NoMemError):
        return False
    return _extended(error) != apsw.SQLITE_IOERR_WRITE or not _no_room(error, connection)


def translate(error: apsw.Error, path: Path, doing: str, connection: apsw.Connection | None = None) -> StoreError:
    """SQLite's error as one line that says what to do."""
    if isinstance(error, apsw.FullError) or _no_room(error, connection):
        return StoreFullError(f"{path}: no room to {doing}; free some disk space, and litewf goes on by itself")
    if isinstance(error, apsw.NotADBError):
        return StoreCorruptError(
            f"{path} is not a SQLite database (or an encrypted one): give litewf its own file; if it was one, restore a"
            " backup"
        )
    if isinstance(error, apsw.CorruptError):
        return StoreCorruptError(
            f"{path}: cannot {doing}: {error}; stop every program that uses it and restore a backup"
        )
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return StoreLockedError(
            f"{path}: cannot {doing}: another program has kept it locked for "
            f"{BUSY_TIMEOUT_MS // 1000} s; close that program's transaction"
        )
    if isinstance(error, apsw.ReadOnlyError | apsw.CantOpenError | apsw.PermissionsError):
        return StoreUnsupportedError(f"{path}: cannot {doing}: {error}; the file and its directory must be writable")
    return StoreError(f"{path}: cannot {doing}: {type(error).__name__}: {error}")


def _no_room(error: apsw.Error, connection: apsw.Connection | None) -> bool:
    """A write over quota shows as an I/O error; a sync without room does too, but then the outcome is unknown."""
    if connection is None or _extended(error) not in {apsw.SQLITE_IOERR_WRITE, apsw.SQLITE_IOERR_SHMSIZE}:
        return False
    return connection.system_errno in {errno.ENOSPC, errno.EDQUOT}


def _extended(error: apsw.Error) -> int:
    """SQLite's code; apsw's own errors have none."""
    code: int = getattr(error, "extendedresult", 0)
    return code
