"""User SQL on this file: transactions whose record commits with them, and read-only queries.

A transaction never shares a group with engine operations: a user's ROLLBACK would undo those of other workflows. It has
a second write connection whose authorizer refuses what is not the user's to do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import apsw

from litewf.errors import LitewfError, OutcomeUnknownError, UsageError
from litewf.store.database import Durability, keep_for_ever, open_writer, translate, unknown_outcome
from litewf.store.operations import Tx
from litewf.world import World

if TYPE_CHECKING:
    from litewf.store.writer import Writer

R = TypeVar("R")
Parameters = Sequence[Any] | Mapping[str, Any]
LOG = logging.getLogger("litewf")
LONG_S = 0.05  # a transaction that keeps all other writers waiting for longer earns a warning
OWN_TABLES = frozenset({"store", "executor", "workflow", "request", "outcome", "step", "wait",
                        "message", "event", "stream", "cloud_event", "taking", "queue", "task", "started",
                        "schedule"})  # fmt: skip
REFUSED = {
    apsw.SQLITE_TRANSACTION: "BEGIN, COMMIT and ROLLBACK",
    apsw.SQLITE_SAVEPOINT: "SAVEPOINT",
    apsw.SQLITE_ATTACH: "ATTACH",
    apsw.SQLITE_DETACH: "DETACH",
    apsw.SQLITE_PRAGMA: "PRAGMA",
}
OWN_VIEWS = frozenset({"record", "litewf_view_version", "workflow_view", "step_view", "wait_view", "event_view",
                       "message_view", "stream_view", "cloud_event_view", "queue_view", "schedule_view",
                       "executor_view"})  # fmt: skip
NAMED_SECOND = frozenset({apsw.SQLITE_ALTER_TABLE, apsw.SQLITE_CREATE_INDEX, apsw.SQLITE_DROP_INDEX,
                          apsw.SQLITE_CREATE_TRIGGER, apsw.SQLITE_CREATE_TEMP_TRIGGER,
                          apsw.SQLITE_DROP_TRIGGER})  # fmt: skip
WRITES = NAMED_SECOND | {apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE, apsw.SQLITE_DROP_TABLE,
                         apsw.SQLITE_DROP_VIEW,
                         # a temporary table or view of the same name would hide litewf's own
                         apsw.SQLITE_CREATE_TEMP_TABLE, apsw.SQLITE_CREATE_TEMP_VIEW}  # fmt: skip
OF_THE_FILE = (
    apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.NoMemError, apsw.CantOpenError, apsw.NotADBError
)  # fmt: skip


_here = threading.local()


def in_transaction() -> bool:
    """Whether this thread runs a user's transaction, on whichever file: it must not ask any engine for anything."""
    return getattr(_here, "running", False)


class Connection:
    """The user's side of a transaction: `execute` and `executemany`, nothing that ends it."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection: apsw.Connection | None = connection
        self._failure: apsw.Error | None = None  # of the last statement that failed: why the transaction is gone

    def execute(self, sql: str, parameters: Parameters = ()) -> Iterator[tuple[Any, ...]]:
        """Run one or several statements; iterate over the rows."""
        try:
            return self._going_on().execute(sql, parameters)
        except apsw.Error as error:
            self._failure = error
            raise

    def executemany(self, sql: str, parameters: Sequence[Parameters]) -> Iterator[tuple[Any, ...]]:
        """Run a statement for each of several sets of parameters."""
        try:
            return self._going_on().executemany(sql, parameters)
        except apsw.Error as error:
            self._failure = error
            raise

    @property
    def changes(self) -> int:
        """How many rows the last statement changed."""
        return self._open().changes()

    @property
    def last_insert_rowid(self) -> int:
        return self._open().last_insert_rowid()

    def _open(self) -> apsw.Connection:
        if self._connection is None:
            raise UsageError("the transaction is over; use its connection only inside the function")
        return self._connection

    def _going_on(self) -> apsw.Connection:
        """The connection, unless a statement has undone the transaction: what follows would be kept at once, alone."""
        connection = self._open()
        if connection.in_transaction:
            return connection
        if isinstance(self._failure, OF_THE_FILE):
            raise self._failure
        why = "OR ROLLBACK, ON CONFLICT ROLLBACK or RAISE(ROLLBACK)" if self._failure is None else self._failure
        raise UsageError(
            f"a statement that failed has rolled back the whole transaction ({why}), so nothing of it is kept and"
            " nothing more can be done in it; let statements fail without ROLLBACK: litewf undoes the transaction when"
            " its function raises"
        ) from self._failure

    def _end(self) -> None:
        self._connection = None


class Transactions:
    """Runs user functions in transactions of their own, one at a time."""

    def __init__(
        self,
        path: Path,
        durability: Durability,
        writer: Writer,
        world: World,
        connect: Callable[[Path, Durability, str | None], apsw.Connection] = open_writer,
    ) -> None:
        self._path = path
        self._durability: Durability = durability
        self._writer = writer
        self._world = world
        self._connect = connect
        self._connection: apsw.Connection | None = None
        self._guarding = False
        self._refusal: str | None = None

    def run(
        self,
        body: Callable[[Connection], R],
        seal: Callable[[Tx, R], bool] | None = None,
        label: str = "transact",
        log_fields: Mapping[str, object] | None = None,
    ) -> R:
        """Run `body` and, in the same transaction, `seal`; the commit is durable on return.

        `seal` returns False when the execution has lost its workflow: then nothing is kept.
        """
        if in_transaction():
            raise UsageError("a transaction was started inside a transaction; use the connection that is open")

        def work() -> R:
            _here.running = True
            began = time.monotonic()
            try:
                return self._transact(body, seal)
            finally:
                if (lasted := time.monotonic() - began) > LONG_S:
                    LOG.warning("%s kept all other writers waiting for %.0f ms; keep transactions short, and do"
                                " slow work before", label, lasted * 1000, extra=log_fields)  # fmt: skip

        return self._writer.exclusively(work, self._end)

    def _end(self) -> None:
        """Whatever has ended it: nothing is left open. A signal may have come right after the BEGIN."""
        if self._connection is not None:
            self._rollback(self._connection)
        _here.running = False

    def _transact(self, body: Callable[[Connection], R], seal: Callable[[Tx, R], bool] | None) -> R:
        connection = self._opened()
        self._execute(connection, "BEGIN IMMEDIATE")
        proxy = Connection(connection)
        try:
            self._guarding = True
            try:
                result = body(proxy)
                proxy._going_on()  # noqa: SLF001 - our own class
            except apsw.AuthError as error:
                raise UsageError(self._refusal or str(error)) from error
            except OF_THE_FILE as error:  # all others are the user's own
                raise translate(error, self._path, "write", connection) from error
            finally:
                self._guarding = False
                proxy._end()  # noqa: SLF001 - our own class
            kept = seal is None or seal(Tx(connection), result)
        except BaseException:
            self._rollback(connection)
            raise
        if not kept:
            self._rollback(connection)
            raise Lost
        self._world.reach("transaction.before")
        self._execute(connection, "COMMIT")
        self._world.reach("transaction.after")
        return result

    def _execute(self, connection: apsw.Connection, sql: str) -> None:
        try:
            connection.execute(sql, can_cache=False)  # else a user's COMMIT would find this one, authorized already
        except apsw.Error as error:
            failure = translate(error, self._path, "write", connection)
            if unknown_outcome(error, connection):
                self._fail()
                if sql == "COMMIT":
                    failure = OutcomeUnknownError(
                        f"{self._path}: the commit raised ({error}), so it may or may not have happened; read the file"
                    )
            else:
                self._rollback(connection)
            raise failure from error

    def _rollback(self, connection: apsw.Connection) -> None:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK", can_cache=False)
        except apsw.Error:
            self._fail()

    def _fail(self) -> None:
        """Nothing more is written before the file was opened again."""
        self._writer.break_off()
        with suppress(apsw.Error):
            self._close_connection()

    def _opened(self) -> apsw.Connection:
        if self._connection is None:
            connection = self._connect(self._path, self._durability, self._world.vfs)
            connection.authorizer = self._authorize
            if isinstance(connection, apsw.Connection):  # the standard library's runs all statements of a call
                connection.set_commit_hook(self._commits_alone)
            self._connection = connection  # last: interrupted before that, it would be one without the authorizer
        return self._connection

    def _commits_alone(self) -> bool:
        """Whether a statement commits while the user's function runs: the rest of a script whose transaction is gone.

        True turns that commit into a rollback.
        """
        return self._guarding

    def _authorize(
        self, action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None
    ) -> int:
        """Refuse what is not the user's: transaction control, other files, settings, litewf's own tables."""
        if not self._guarding:
            return apsw.SQLITE_OK
        what = REFUSED.get(action)
        table = second if action in NAMED_SECOND else first
        if what is None and action in WRITES and table is not None:
            if table.lower() in OWN_TABLES:
                what = f"changing litewf's table {table!r}"
            elif table.lower() in OWN_VIEWS:
                what = f"changing litewf's view {table!r}"
        if what is None:
            return apsw.SQLITE_OK
        self._refusal = f"{what} is not allowed inside a transaction: litewf begins and commits it"
        return apsw.SQLITE_DENY

    def close(self) -> None:
        self._close_connection()

    def _close_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abandon(self) -> None:
        if self._connection is not None:
            keep_for_ever(self._connection)
            self._connection = None


class Lost(LitewfError):  # noqa: N818 - private, and no error: the execution ends
    """The execution no longer owns its workflow, so its transaction was undone."""
