"""One file, opened: its place checked, its writer, its readers, and whether it is still the same file."""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, TypeVar

import apsw

from litewf.errors import EngineClosedError, OutcomeUnknownError, StoreError, StoreMovedError, StoreUnsupportedError
from litewf.store import place, readers
from litewf.store.database import Durability, check_sqlite
from litewf.store.ear import Ear
from litewf.store.lockfile import ProcessLock
from litewf.store.migrate import migrations
from litewf.store.operations import Operation
from litewf.store.readers import Readers
from litewf.store.transactions import Transactions
from litewf.store.writer import Writer
from litewf.world import World

R = TypeVar("R")
LOG = logging.getLogger("litewf")


class Store:
    """A file that is open in this process."""

    library: ClassVar[str] = "apsw"

    def __init__(
        self,
        path: str | os.PathLike[str],
        durability: Durability,
        world: World,
        on_commit: Callable[[list[Operation]], None],
        *,
        create: bool = True,
    ) -> None:
        check_sqlite()
        self._moved: StoreMovedError | None = None
        self._enter(path, create=create)
        try:
            self.writer = Writer(self.path, durability, world, on_commit)
            self._readers = Readers(self.path, world.vfs)
            self.transactions = Transactions(self.path, durability, self.writer, world)
            self._identity = place.Identity.of(self.path)
        except BaseException:
            self._leave()
            raise
        self._opened()

    def _enter(self, path: str | os.PathLike[str], *, create: bool) -> None:
        """Check the place; from now on no other SQLite library of this process may open it."""
        self.path: Path = place.resolve(path)
        self.lock: ProcessLock | None = None
        self.on_fork: Callable[[], None] = lambda: None  # called in the child
        _check_not_forked()
        with _entering:
            for store in _connected:
                if store.path == self.path and store.library != self.library:
                    raise StoreUnsupportedError(store.keeps_out)
            first = not any(store.path == self.path for store in _connected)
            place.check(self.path, create=create, header=first, newest=len(migrations()))
            if first:
                self._prepare()
            _connected.add(self)

    def _prepare(self) -> None:
        """Do what must be done while nothing of this process has the file open."""

    @property
    def keeps_out(self) -> str:
        """Why another library may not open the file beside this one."""
        return (
            f"{self.path} is open in this process in an Engine or a Client, and AsyncClient would open it with the"
            " SQLite of the standard library: two of them in one process drop each other's locks. Use the engine's or"
            " the client's own _async methods here, or AsyncClient in another process"
        )

    def _opened(self) -> None:
        _open_stores.add(self)

    def _leave(self) -> None:
        """Everything is closed."""
        _open_stores.discard(self)
        _connected.discard(self)

    def read(self, query: Callable[[apsw.Connection], R]) -> R:
        """Ask the file; never waits for the writer, nor does the writer wait for it."""
        if self._moved is not None:
            raise self._moved
        try:
            return self._readers.read(query)
        except StoreError:
            self._stop_if_moved()
            raise

    def peek(self, query: Callable[[apsw.Connection], R]) -> R:
        """As `read`, for a question that is answered at once.

        While no connection is open that only reads, and nobody writes, the one that writes answers: to open another one
        takes longer than most engines that are launched for a moment, as by a test, ask questions at all. Not to the
        main thread: where Ctrl-C interrupts that, it must not own what everybody needs.
        """
        may_borrow = self._moved is None and not self._readers.any_idle and not _may_be_interrupted()
        if may_borrow and (connection := self.writer.lend()) is not None:
            try:
                return readers.ask(connection, query, self.path)
            except StoreError:
                self._stop_if_moved()
                raise
            finally:
                if connection.txn_state() != apsw.SQLITE_TXN_NONE:  # an error in between: see readers.py
                    self.writer.break_off()
                self.writer.disown()
        return self.read(query)

    def take_lock(self, token: str) -> str:
        """Take a lock file that tells other processes that this one lives; its name."""
        self.lock = ProcessLock.create(self.path, token)
        return self.lock.name

    def check(self) -> None:
        """Raise when the file was moved or replaced, or the lock file is gone."""
        self._check_files()
        if self.lock is not None and not self.lock.intact():
            raise EngineClosedError(
                f"{self.path}: the lock file {self.lock.name} was deleted while the engine ran, so another engine may"
                " take over; this one stops"
            )

    def _stop_if_moved(self) -> None:
        """Raise the true reason of an error, if that is one; nothing more is written then."""
        try:
            self._check_files()
        except StoreMovedError as moved:
            self._moved = moved  # what is still open shows a file that nobody else sees
            self.writer.die(moved)
            raise

    def _check_files(self) -> None:
        self._identity.check(self.path)
        self.writer.check()

    def ear(self) -> Ear | None:
        """What hears of commits, of this process and of others, where the system tells."""
        return Ear.open(self.path.with_name(f"{self.path.name}-wal"))

    def close(self, timeout_s: float) -> None:
        """Write what is queued, then close everything."""
        if self.writer.stop(timeout_s):
            self.transactions.close()
            self._readers.close()
            self.writer.close()
            self._leave()
        else:
            LOG.warning("%s: something still writes to it, so it stays open in this process", self.path)
            self._readers.close()
        self._let_go()

    def fail(self, error: Exception, timeout_s: float) -> None:
        """Close after a launch that failed."""
        if isinstance(error, OutcomeUnknownError):  # its row may be there all the same: others are to see a death
            self.die_with_lock()
        self.close(timeout_s)

    def stop(self, because: BaseException) -> None:
        """Write nothing more, and let the lock go."""
        _open_stores.discard(self)
        self.writer.die(because)
        self._let_go()

    def crash(self, death: BaseException) -> None:
        """End as a killed process would: what is queued is never written, and peers see a death."""
        self.writer.crash(death)
        self.transactions.close()
        self._readers.close()
        self._leave()
        if self.lock is not None:
            self.lock.drop()

    def die_with_lock(self) -> None:
        """Let peers see a death: this engine still has a row in the file."""
        if self.lock is not None:
            self.lock.drop()

    def _let_go(self) -> None:
        if self.lock is not None:
            self.lock.release()

    def abandon(self) -> None:
        """In a forked child: touch nothing of the parent's."""
        self.writer.abandon()
        self.transactions.abandon()
        self._readers.abandon()
        if self.lock is not None:
            self.lock.forget_after_fork()
        self.on_fork()


_open_stores: weakref.WeakSet[Store] = weakref.WeakSet()
_connected: weakref.WeakSet[Store] = weakref.WeakSet()  # these, and those that have stopped but not closed
_entering = threading.Lock()


def _abandon_all() -> None:
    for store in list(_open_stores):
        store.abandon()
        _open_stores.discard(store)
        _abandoned.append(store)  # never finalized: closing would drop the parent's locks
    global _entering  # noqa: PLW0603 - another thread may have held it
    _entering = threading.Lock()


_abandoned: list[Store] = []


def _check_not_forked() -> None:
    """SQLite in a forked child believes in locks that only the parent has, and may wait for threads that are gone."""
    if _abandoned:
        raise StoreUnsupportedError(
            "this process was forked while an engine was running, so SQLite cannot be used in it; start it with the"
            ' spawn method (multiprocessing.get_context("spawn")), or fork before the first launch'
        )


def _may_be_interrupted() -> bool:
    """Whether this is the thread in which Python handles signals."""
    return threading.current_thread() is threading.main_thread()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)
