"""A file that is open through aiosqlite: the same writer, transactions and queries, on threads of aiosqlite's.

One connection writes, one looks whether others have committed, and a few read, each on a thread of its own. A function
that needs several statements goes to such a thread as a whole. Nothing here checkpoints.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, TypeVar, cast

import aiosqlite
import apsw

from litewf.errors import EngineClosedError, LitewfError, StoreError
from litewf.store import place, readers, standard
from litewf.store.database import Durability, check_sqlite, keep_for_ever, translate
from litewf.store.operations import Operation
from litewf.store.standard import Standard, Threaded
from litewf.store.store import Store
from litewf.store.transactions import Transactions
from litewf.store.turnstile import Turnstile
from litewf.store.write_connection import WriteConnection
from litewf.store.writer import Writer
from litewf.world import World

R = TypeVar("R")
LOG = logging.getLogger("litewf")
READERS = 4  # at most, each with a thread
CHUNK = 64  # rows that aiosqlite would fetch at a time; nothing is fetched that way
CLOSING_S = 1.0  # for the last writes, while another process keeps its turn

_here = threading.local()  # .connection: that of this thread


class Carrier:
    """An aiosqlite connection that carries functions to its thread; it connects when it is first needed."""

    def __init__(self, path: Path, connect: Callable[[], Threaded], check: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._check = check  # raises the true reason of an error, if that is one
        self._connect = connect
        self._raw: Threaded | None = None
        self._failure: Exception | None = None
        self._through = aiosqlite.Connection(self._connector, CHUNK)
        self._opening: asyncio.Task[Threaded] | None = None
        self._closed = False

    def _connector(self) -> Threaded:
        """On the thread: connect, or connect to nothing, as aiosqlite leaves its thread to itself when this raises."""
        try:
            self._raw = self._connect()
            _here.connection = Standard(self._raw, self._path)
            here().pragma("user_version")  # a query makes SQLite take the lock that it keeps while it is connected
        except Exception as error:  # noqa: BLE001 - raised by `_open`
            self._failure = error
        return self._raw or standard.open_nothing()

    async def _open(self) -> Threaded:
        await self._through
        try:
            if self._failure is not None:
                raise self._failure
        except apsw.Error as error:
            await self._through.close()
            self._check()
            raise translate(error, self._path, "open") from error
        except BaseException:
            await self._through.close()
            raise
        assert self._raw is not None
        return self._raw

    @property
    def failed(self) -> bool:
        """Whether it could not connect."""
        opening = self._opening
        return opening is not None and opening.done() and (opening.cancelled() or opening.exception() is not None)

    async def carry(self, errand: Callable[[], R]) -> R:
        """Run a function on the thread; when the caller is cancelled it still runs to its end."""
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._open())
        raw = await asyncio.shield(self._opening)  # whoever is cancelled leaves it whole for the next
        if self._closed:
            raise EngineClosedError(f"{self._path} is closed")
        done: list[R] = []
        raw.errands.append(lambda: done.append(errand()))
        await self._through.commit()
        return done[0]

    async def close(self) -> None:
        if self._opening is not None and not self.failed:
            await self._opening
            self._closed = True  # what came later would stand in line behind the end of the connection
            await self._through.close()

    def abandon(self) -> None:
        """In a forked child: the thread is the parent's, and what it has open is never closed here."""
        if self._raw is not None:
            keep_for_ever(self._raw)
        keep_for_ever(self._through)


def _version(connection: apsw.Connection) -> object:
    return connection.pragma("data_version")


def here() -> apsw.Connection:
    """The connection of this thread; it answers as apsw's does."""
    return cast("apsw.Connection", _here.connection)


class StandardWriteConnection(WriteConnection):
    """The write connection of the standard library's SQLite: it leaves the WAL alone."""

    def _connect(self) -> apsw.Connection:
        return here()

    def _examine(self, connection: apsw.Connection) -> None:
        """It has been: see `AsyncStore._prepare`."""

    def wrote(self, *, look: bool) -> None:
        """How long the WAL is matters to those who checkpoint."""

    def checkpoint(self) -> None:
        """Never."""

    def repair(self) -> None:
        """What a failed commit may have left behind only a checkpoint makes good, and that is for others."""
        raise StoreError(
            f"{self._path}: a write failed, so this client writes nothing more; create another one once an Engine or a"
            " Client has opened the file"
        )

    def close(self, patience_s: float) -> None:  # noqa: ARG002 - as where there is something to wait for
        """Close; the WAL stays as it is."""
        self.live.close()


class CarriedWriter(Writer):
    """The writer without a thread of its own: it is carried to aiosqlite's, and writes there what has gathered."""

    _connect = StandardWriteConnection

    def ask_for(self, thread: Callable[[], None], watching: Callable[[], bool]) -> None:
        """How to be called on the thread, and how to find out whether others have committed."""
        self._ask_for_thread = thread
        self._watching = watching

    def submit(self, operation: Operation) -> None:
        """Queue an operation; its mailbox hears of the outcome."""
        self._raise_if_dead()
        self._queue.append(operation)
        if not self._called:
            self._called = True
            self._ask_for_thread()

    def write_gathered(self, check: Callable[[], None]) -> None:
        """On the thread: write all that has gathered, group by group, as long as `check` raises nothing."""
        self._called = False  # what comes from now on asks again
        while self._queue and self._dead is None:
            try:
                check()
            except LitewfError as moved:
                self.die(moved)
                return
            with self._mutex:
                group = self._take()
                self._owned = bool(group)
            if group:
                try:
                    self._run(group)
                finally:
                    self.disown()

    def changed_by_others(self) -> bool:
        """Whether another connection has committed since the last call, this writer's own included."""
        return self._watching()


class AsyncStore(Store):
    """A file that is open in this process, for one event loop."""

    library: ClassVar[str] = "sqlite3"

    def __init__(self, path: str | os.PathLike[str], durability: Durability, world: World) -> None:
        # not as a Store begins: another library opens the file, and not before `open`
        standard.check_standard()
        self.path = place.resolve(path)
        self._durability: Durability = durability
        self._world = world
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._version: object = None
        self.on_commit: Callable[[list[Operation]], None] = lambda _: None
        self._watch = Carrier(self.path, lambda: standard.open_reader(self.path))
        self._pen = Carrier(self.path, lambda: standard.open_writer(self.path))
        self._idle: list[Carrier] = []
        self._readers_open: list[Carrier] = []
        self._free = asyncio.Semaphore(READERS)

    @property
    def keeps_out(self) -> str:
        """Why another library may not open the file beside this one."""
        return (
            f"{self.path} is open in this process in an AsyncClient, with the SQLite of the standard library, and"
            " litewf's own beside it would drop its locks: close the AsyncClient first, or use a Client and its _async"
            " methods instead"
        )

    async def open(self) -> None:
        """Connect, or leave nothing open."""
        await asyncio.to_thread(self._enter, self.path, create=False)
        try:
            await self._watch.carry(self._others_committed)  # first, and closed last: see standard.open_reader
            await self._pen.carry(self._begin)
        except BaseException:
            await self._give_up()
            raise
        self._opened()

    def _prepare(self) -> None:
        """Have litewf's own SQLite look at the file and bring its tables up to date, and close it before ours opens."""
        check_sqlite()
        turnstile = Turnstile(self.path)
        try:
            WriteConnection(self.path, self._durability, self._world, turnstile).crash()
        finally:
            turnstile.close()

    async def _give_up(self) -> None:
        """Close what was opened, unless that still waits for its turn."""
        closing = self._loop.create_task(self._close_carriers())
        self._tasks.add(closing)
        done, _ = await asyncio.wait([closing], timeout=CLOSING_S)
        if done:
            self._leave()

    def _begin(self) -> None:
        self.writer = writer = CarriedWriter(self.path, self._durability, self._world, self._committed)
        writer.ask_for(self._flush_soon, self._others_committed)
        self._write_gathered = writer.write_gathered
        self.transactions = Transactions(self.path, self._durability, self.writer, self._world, self._for_users)
        self._identity = place.Identity.of(self.path)

    def _committed(self, operations: list[Operation]) -> None:
        self.on_commit(operations)

    def _for_users(self, path: Path, durability: Durability, _vfs: str | None) -> apsw.Connection:
        return cast("apsw.Connection", Standard(standard.open_writer(path, durability), path))

    # --- from the loop ----------------------------------------------------------------------------------------

    async def ask(self, question: Callable[[], R]) -> R:
        """Run a function that reads, on a connection of its own; it never waits for the writer."""
        async with self._free:
            reader = self._idle.pop() if self._idle else self._another()
            try:
                return await reader.carry(question)
            finally:
                if not reader.failed:
                    self._idle.append(reader)

    def _another(self) -> Carrier:
        reader = Carrier(self.path, self._open_reader, self._check_files)
        self._readers_open.append(reader)
        return reader

    def _open_reader(self) -> Threaded:
        self._check_files()
        return standard.open_reader(self.path)

    async def watch(self, duty: Callable[[], R]) -> R:
        """Run a function on the thread that looks for commits of others; nothing that it does may wait."""
        return await self._watch.carry(duty)

    async def write(self, errand: Callable[[], R]) -> R:
        """Run a function on the thread that writes."""
        return await self._pen.carry(errand)

    def _flush_soon(self) -> None:
        task = self._loop.create_task(self._flush())
        self._tasks.add(task)  # a loop keeps only weak references
        task.add_done_callback(self._tasks.discard)

    async def _flush(self) -> None:
        with contextlib.suppress(EngineClosedError):  # those who wait have been told
            await self._pen.carry(self._write)

    # --- on the threads ---------------------------------------------------------------------------------------

    def read(self, query: Callable[[apsw.Connection], R]) -> R:
        """Ask the file on the connection of this thread, which is one of aiosqlite's."""
        self._check_files()
        try:
            return readers.ask(here(), query, self.path)
        except StoreError:
            self._check_files()
            raise

    def peek(self, query: Callable[[apsw.Connection], R]) -> R:
        """As `read`."""
        return self.read(query)

    def _write(self) -> None:
        self._write_gathered(self._check_files)

    def _others_committed(self) -> bool:
        seen, self._version = self._version, readers.ask(here(), _version, self.path)
        return seen != self._version

    # --- ending -----------------------------------------------------------------------------------------------

    async def close_async(self) -> None:
        """Write what is queued, then close everything; the WAL stays for those who may copy it."""
        ended = self._loop.create_task(self._end())
        done, _ = await asyncio.wait([ended], timeout=CLOSING_S)
        self.writer.die(EngineClosedError(f"{self.path} is closed"))
        if not done:
            LOG.warning("%s: a write still waits for its turn, so it stays open in this process", self.path)
            self._tasks.add(ended)  # it goes on when the turn comes
            return
        await ended

    async def _end(self) -> None:
        await self._pen.carry(self._write)
        await self._pen.carry(self._close_writers)
        await self._close_carriers()
        self._leave()

    def _close_writers(self) -> None:
        self.transactions.close()
        self.writer.close()

    async def _close_carriers(self) -> None:
        await self._pen.close()
        for reader in self._readers_open:
            await reader.close()
        await self._watch.close()

    def stop(self, because: BaseException) -> None:
        """Write nothing more."""
        self.writer.die(because)

    def abandon(self) -> None:
        """In a forked child: touch nothing of the parent's."""
        self.writer.abandon()
        self.transactions.abandon()
        for carrier in (self._pen, self._watch, *self._readers_open):
            carrier.abandon()
        self.on_fork()
