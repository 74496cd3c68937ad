"""Group commit: everything that is written gathers here and commits together.

One flag says who owns the write connection. A pool thread that finds it free commits its own operation on the spot;
everyone else queues, and the writer thread takes all that has gathered into one transaction. A caller goes on only
after the commit.

When a commit raises, whether it happened is unknown: the connection is closed, opened again and checkpointed before
anything else is written, and the callers are told so.
"""

import contextlib
import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TypeVar, cast

import apsw

from litewf.errors import EngineClosedError, LitewfError, OutcomeUnknownError, StoreError
from litewf.store.checkpoints import Checkpoint
from litewf.store.database import Durability, open_writer, translate
from litewf.store.mailboxes import THREADS
from litewf.store.migrate import migrate
from litewf.store.operations import Operation, Turn, Tx
from litewf.store.turnstile import Turnstile
from litewf.world import World

R = TypeVar("R")
LOG = logging.getLogger("litewf")
GROUP_ROWS = 1000  # operations in one transaction at most
STATEMENT_ROWS = 512  # checkpoints that one statement writes
CHECKPOINT_BYTES = 4000 * 4120  # of WAL, before it is copied into the database
LOOK_EVERY = 16  # transactions, between looks at the WAL's size
IDLE_S = 1.0  # of quiet, before the WAL is copied and cut
CRASH_S = 1.0  # for a commit that is under way while the engine dies
BY_RANK = attrgetter("rank")


def kind_of(operation: Operation) -> type[Operation]:
    return type(operation)


class Writer:
    """The owner of the write connection and of every transaction on it."""

    def __init__(
        self, path: Path, durability: Durability, world: World, on_commit: Callable[[Sequence[Operation]], None]
    ) -> None:
        self._path = path
        self._durability: Durability = durability
        self._world = world
        self._on_commit = on_commit
        self._turnstile = Turnstile(path)
        self._mutex = threading.Lock()
        self._wake = threading.Condition(self._mutex)
        self._queue: list[Operation] = []
        self._owned = False
        self._closing = False
        self._unchecked = 0  # transactions since the size of the WAL was looked at
        self._dirty = False  # the WAL holds something that a checkpoint would copy
        self._long = False  # ... and enough of it that one is due
        self._broken = False  # the connection must be opened again before the next transaction
        self._dead: BaseException | None = None
        self._exclusive = 0  # threads that wait to use another connection
        self._gathered = False  # the writer thread was the last owner
        self._look_for_others = False  # somebody asked for foreign commits while the connection was in use
        self._others_committed = False
        self.reopened = 0  # how often a failed write made it open the file again
        try:
            self._connection = self._open()
        except BaseException:
            self._turnstile.close()
            raise
        self._seen_version = self._connection.pragma("data_version")
        self._thread = threading.Thread(target=self._serve, name="litewf-writer", daemon=True)

    def _open(self) -> apsw.Connection:
        with self._turnstile:
            connection = open_writer(self._path, self._durability)
            try:
                migrate(connection, self._path, self._world)
            except BaseException:
                connection.close()
                raise
        return connection

    def start(self) -> None:
        self._thread.start()

    # --- asking -----------------------------------------------------------------------------------------------

    def submit(self, operation: Operation) -> None:
        """Queue an operation; its mailbox hears of the outcome."""
        with self._mutex:
            if self._dead is not None:
                raise self._dead
            self._queue.append(operation)
            if not self._owned:
                self._wake.notify()

    def commit(self, operation: Operation, *, inline: bool = False) -> object:
        """Write an operation and wait until it is durable; `inline` lets this thread do it when nobody else is."""
        if inline and self._own():
            try:
                self._run([operation])
            finally:
                self._disown()
        else:
            lock = threading.Lock()
            lock.acquire()
            operation.waiter = lock
            operation.mailbox = THREADS
            self.submit(operation)
            lock.acquire()
        if operation.error is not None:
            raise operation.error
        return operation.result

    def withdraw(self, operation: Operation) -> bool:
        """Take back an operation that nobody has begun to write; False if it is too late for that."""
        with self._mutex:
            if operation in self._queue:
                self._queue.remove(operation)
                return True
            return False

    def turn(self, change: Callable[[Tx], R], *, inline: bool = False) -> R:
        """Run a function inside a transaction and wait until it is durable."""
        return cast("R", self.commit(Turn(change), inline=inline))

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[Turnstile]:
        """Own the right to write while another connection uses it; the caller enters the turnstile itself."""
        with self._mutex:
            self._exclusive += 1
            try:
                while self._owned and self._dead is None:
                    self._wake.wait()
                self._raise_if_dead()
                self._owned = True
            finally:
                self._exclusive -= 1
        self._gathered = False
        try:
            if self._broken:
                self._reopen()
            yield self._turnstile
        finally:
            self._disown()

    def changed_by_others(self) -> bool:
        """Whether another connection has committed since the last call; never waits.

        While the connection is in use all the time, the next transaction looks, and the call after it answers.
        """
        if self._own():
            try:
                self._compare_versions()
            finally:
                self._disown()
        else:
            self._look_for_others = True
        changed, self._others_committed = self._others_committed, False
        return changed

    def _compare_versions(self) -> None:
        self._look_for_others = False
        try:
            version = self._connection.pragma("data_version")
        except apsw.Error:
            self._broken = True
            return
        if version != self._seen_version:
            self._seen_version = version
            self._others_committed = True

    @property
    def idle(self) -> bool:
        """Whether nothing is being written or waits for it."""
        return not self._owned and not self._queue

    # --- owning the connection --------------------------------------------------------------------------------

    def _raise_if_dead(self) -> None:
        if self._dead is not None:
            raise self._dead

    def _own(self) -> bool:
        with self._mutex:
            self._raise_if_dead()
            if self._owned or self._queue:
                return False
            self._owned = True
            return True

    def _disown(self) -> None:
        with self._mutex:
            self._owned = False
            if self._queue or self._closing or self._long or self._exclusive:
                self._wake.notify_all()

    def _serve(self) -> None:
        while (group := self._gather()) is not None:
            try:
                if group:
                    self._run(group)
                else:
                    self._checkpoint()
            finally:
                self._disown()

    def _gather(self) -> list[Operation] | None:
        """Own the connection and take what has gathered: [] asks for a checkpoint, None ends the thread."""
        with self._mutex:
            while True:
                if self._dead is not None:
                    return None
                if not self._owned:
                    if self._long:
                        self._owned = True
                        return []
                    if self._queue:
                        self._owned = True
                        return self._take()
                    if self._closing:
                        return None
                if not self._wake.wait(IDLE_S if self._dirty else None) and not (self._owned or self._queue):
                    self._owned = True
                    return []

    def _take(self) -> list[Operation]:
        """The next group: plain checkpoints alone if there are enough, as one statement commits those."""
        head = self._queue[:STATEMENT_ROWS]
        size = STATEMENT_ROWS if all(type(operation) is Checkpoint for operation in head) else GROUP_ROWS
        group, self._queue = self._queue[:size], self._queue[size:]
        return group

    # --- writing ----------------------------------------------------------------------------------------------

    def _run(self, group: list[Operation]) -> None:
        try:
            if self._broken:
                self._reopen()
            with self._turnstile:
                self._world.reach("commit.before")
                self._write(group)
                self._world.reach("commit.after")
        except LitewfError as error:
            _fail(group, error)
        except BaseException as death:
            self.die(death, group)
            raise
        self._measure()
        self._on_commit(group)

    def _measure(self) -> None:
        """Look now and then whether the WAL has grown long."""
        self._dirty = True
        self._unchecked += 1
        if self._unchecked >= LOOK_EVERY:
            self._unchecked = 0
            with contextlib.suppress(FileNotFoundError):
                self._long = os.stat(f"{self._path}-wal").st_size >= CHECKPOINT_BYTES

    def _write(self, group: list[Operation]) -> None:
        connection = self._connection
        committing = False
        try:
            if _fits_one_statement(group):
                committing = True  # it commits itself
                Checkpoint.apply(connection, group)
                return
            connection.execute("BEGIN IMMEDIATE")
            group.sort(key=BY_RANK)
            for kind, members in itertools.groupby(group, kind_of):
                kind.apply(connection, list(members))
            committing = True
            connection.execute("COMMIT")
        except apsw.Error as error:
            self._failed(group, error, committing=committing)
        except Exception:  # noqa: BLE001 - one operation's; alone, it gets what it raised
            self._undo()
            self._one_by_one(group)

    def _failed(self, group: list[Operation], error: apsw.Error, *, committing: bool) -> None:
        failure = translate(error, self._path, "write")
        if isinstance(error, apsw.IOError | apsw.CorruptError):
            self._broken = True
            if committing:
                failure = OutcomeUnknownError(
                    f"{self._path}: the commit raised ({error}), so it may or may not have happened; "
                    "the file is opened again, and repeating the call with the same id is safe"
                )
            _fail(group, failure)
            return
        self._undo()
        if committing or isinstance(error, apsw.FullError | apsw.BusyError):
            _fail(group, failure)
        else:
            self._one_by_one(group)

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _one_by_one(self, group: list[Operation]) -> None:
        """Something in the group failed: give each operation a transaction of its own."""
        for operation in group:
            operation.error = None
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                operation.apply(self._connection, [operation])
                self._connection.execute("COMMIT")
            except apsw.Error as error:
                self._undo()
                operation.error = translate(error, self._path, "write")
            except Exception as error:  # noqa: BLE001 - it is the caller's to see
                self._undo()
                operation.error = error

    # --- keeping the file in shape ----------------------------------------------------------------------------

    def _checkpoint(self) -> None:
        """Copy the WAL into the database: without waiting while busy, and cutting the WAL when all is quiet."""
        mode = apsw.SQLITE_CHECKPOINT_PASSIVE if self._long else apsw.SQLITE_CHECKPOINT_TRUNCATE
        self._dirty = self._dirty and self._long
        self._long = False
        try:
            with self._turnstile:
                self._connection.wal_checkpoint(mode=mode)
        except apsw.BusyError:
            pass  # a reader needs the WAL as it is; the next time will do
        except (apsw.Error, StoreError) as error:
            LOG.warning("%s: checkpoint failed: %s; it is tried again", self._path, error)
            self._broken = True

    def _reopen(self) -> None:
        """Open the file again after a failed commit, and make durable what it shows."""
        with contextlib.suppress(apsw.Error):
            self._connection.close()
        self._connection = self._open()
        try:
            with self._turnstile:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
        except apsw.BusyError:
            pass  # readers keep frames in use; all of them were copied and synced
        except apsw.Error as error:
            raise translate(error, self._path, "open again") from error
        self._broken = False
        LOG.warning("%s: opened again after a failed write", self._path)

    # --- ending -----------------------------------------------------------------------------------------------

    def die(self, death: BaseException, group: Sequence[Operation] = ()) -> None:
        """Write nothing ever again; everyone who waits gets `death`."""
        with self._mutex:
            if self._dead is None:
                self._dead = death
            waiting, self._queue = [*group, *self._queue], []
            self._wake.notify_all()
        _fail(waiting, death)
        self._on_commit(waiting)

    def crash(self, death: BaseException) -> None:
        """Close without writing anything more, not even what is queued."""
        self._closing = True  # whoever owns the connection says when it lets go
        self.die(death)
        if self._thread.ident is not None:
            self._thread.join(CRASH_S)
        with self._mutex:
            free = self._wake.wait_for(lambda: not self._owned, CRASH_S)
        if free:
            self._connection.close()
        self._turnstile.close()

    def abandon(self) -> None:
        """After a fork: the connection is the parent's, and closing it would drop the parent's locks."""
        self._dead = EngineClosedError("the engine belongs to the process that launched it; launch one after the fork")
        self._turnstile.forget_after_fork()
        _leaked.append(self._connection)

    def close(self, timeout_s: float) -> None:
        """Write what is queued, copy the WAL into the database, and close."""
        with self._mutex:
            self._closing = True
            self._wake.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self.die(EngineClosedError(f"{self._path} is closed; launch the engine again"))
        if not self._broken:
            self._checkpoint()
        self._connection.close()
        self._turnstile.close()


def _fits_one_statement(group: Sequence[Operation]) -> bool:
    """Whether the group is checkpoints that one statement can write."""
    rows = 0
    for operation in group:
        if type(operation) is not Checkpoint:
            return False
        rows += len(operation.rows)
    return rows <= STATEMENT_ROWS


def _fail(group: Sequence[Operation], error: BaseException) -> None:
    for operation in group:
        operation.error = error


_leaked: list[apsw.Connection] = []
