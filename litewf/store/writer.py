"""Group commit: everything that is written gathers here and commits together.

One flag says who owns the write connection. A pool thread that finds it free commits its own operation on the spot;
everyone else queues, and the writer thread takes all that has gathered into one transaction. A caller goes on only
after the commit.

When a commit raises, whether it happened is unknown: the connection is closed, opened again and checkpointed before
anything else is written, and the callers are told so. When there is no room, nothing has happened.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar, cast

import apsw

from litewf.errors import EngineClosedError, LitewfError, StoreLockedError
from litewf.store.checkpoints import STATEMENT_ROWS, are_checkpoints
from litewf.store.database import Durability, keep_for_ever
from litewf.store.groups import commit_group, fail
from litewf.store.mailboxes import THREADS, Bells, Relay, waiter
from litewf.store.operations import Operation, Turn, Tx
from litewf.store.turnstile import Turnstile
from litewf.store.write_connection import WriteConnection
from litewf.world import World

R = TypeVar("R")
LOG = logging.getLogger("litewf")
GROUP_ROWS = 1000  # operations in one transaction at most
LOOK_EVERY = 16  # transactions, between looks at the WAL's size; after a large group at once
LARGE_GROUP = 64
PATIENCE_S = 1.0  # with a process that keeps its turn, before closing without a checkpoint
GATHER_S = 0.001  # at most, for threads that come from the last commit to join the next
IDLE_S = 1.0  # of quiet, before the WAL is copied and cut
LEND_S = 0.001  # for a commit that is under way, before another connection has to be opened for a look at the file
CRASH_S = 1.0  # for a commit that is under way while the engine dies


class Writer:
    """The owner of the write connection and of every transaction on it."""

    _connect: type[WriteConnection] = WriteConnection

    def __init__(
        self, path: Path, durability: Durability, world: World, on_commit: Callable[[list[Operation]], None]
    ) -> None:
        self._path = path
        self._world = world
        self._on_commit = on_commit
        self._turnstile = Turnstile(path)
        self._mutex = threading.Lock()
        self._wake = threading.Condition(self._mutex)
        self._queue: deque[Operation] = deque()
        self._relay = Relay(self._all_have_come)
        self._owned = False
        self._called = False  # the thread has been woken and has not taken anything yet
        self._closing = False
        self.transactions = 0  # so far
        self._unchecked = 0  # of them, since the size of the WAL was looked at
        self._dead: BaseException | None = None
        self._guest: object = None  # whoever owns the connection in order to use another one
        self._bells = Bells()  # of threads that wait to do so
        self._lookers = 0  # threads that wait to use this one for a look
        self._others_committed = False
        self._news = False  # the same, for `take_news`
        try:
            self._file = self._connect(path, durability, world, self._turnstile)
        except BaseException:
            self._turnstile.close()
            raise
        self._thread = threading.Thread(target=self._serve, name="litewf-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    # --- asking -----------------------------------------------------------------------------------------------

    def submit(self, operation: Operation) -> None:
        """Queue an operation; its mailbox hears of the outcome."""
        if self._dead is not None:
            raise self._dead
        self._queue.append(operation)  # without the lock, which is for waking: an event loop must not wait for it
        if self._dead is not None and self.withdraw(operation):
            raise self._dead
        if not self._owned and not self._called:
            with self._mutex:
                self._wake.notify_all()  # not `notify`: what an interrupted call has left would take it
                self._called = True  # last, for the same reason

    def commit(self, operation: Operation, *, inline: bool = False, patience_s: float = -1) -> object:
        """Write an operation and wait until it is durable.

        `inline` is for the engine's own threads: such a one does it itself when nobody else is writing.
        """
        if inline and self._own():
            try:
                self._run([operation])
            finally:
                self.disown()
        elif inline:
            lock = waiter(operation, self._relay)
            self.submit(operation)
            self._relay.wait(lock)
        elif not self._wait(operation, patience_s):
            raise StoreLockedError(
                f"{self._path}: nothing could be written for {patience_s:g} s; a process that was stopped (by a"
                " debugger, or SIGSTOP) may keep its turn"
            )
        if operation.error is not None:
            raise operation.error
        return operation.result

    def _wait(self, operation: Operation, patience_s: float) -> bool:
        """Wait until it is known what has become of an operation, or withdraw it.

        When the handler of a signal raises here, nobody waits for what is being written: whoever writes does the rest.
        """
        heard = False
        try:
            lock = waiter(operation, THREADS)
            self.submit(operation)
            heard = lock.acquire(timeout=patience_s)
        finally:
            if not heard:
                self.withdraw(operation)
        return heard

    def withdraw(self, operation: Operation) -> bool:
        """Take back an operation that nobody has begun to write; False if it is too late for that."""
        with self._mutex:
            try:
                self._queue.remove(operation)
            except ValueError:
                return False
            return True

    def turn(self, change: Callable[[Tx], R], *, inline: bool = False, patience_s: float = -1) -> R:
        """Run a function inside a transaction and wait until it is durable; with patience, for no longer than that."""
        return cast("R", self.commit(Turn(change), inline=inline, patience_s=patience_s))

    def exclusively(self, work: Callable[[], R], end: Callable[[], None]) -> R:
        """Own the right to write, and the turn, while another connection is used; then `end` whatever `work` has left.

        It may be the main thread, where the handler of a signal may raise between any two calls, also in what ends this
        or before that is known to be necessary. So what ends it can be done twice, or for nothing.
        """
        guest = object()
        try:
            try:
                self._admit(guest)
                self._repair()
                self._turnstile.enter()
                return work()
            finally:
                self._dismiss(guest, end)
        except BaseException:
            self._dismiss(guest, end)
            raise

    def _admit(self, guest: object) -> None:
        while True:
            with self._mutex:
                self._raise_if_dead()
                if not self._owned:
                    self._guest, self._owned = guest, True
                    return
                bell = self._bells.another()
            bell.acquire()

    def _dismiss(self, guest: object, end: Callable[[], None]) -> None:
        if self._guest is guest:
            end()
            self._turnstile.leave()
            self._wrote(1)
        self.disown(guest)

    @property
    def reopened(self) -> int:
        """How often a commit with an unknown outcome has made it open the file again."""
        return self._file.reopened

    @property
    def in_order(self) -> bool:
        """Whether the file need not be opened again before the next write."""
        return not self._file.broken

    def break_off(self) -> None:
        """Whoever owns the connection: it is not as it was found, so open the file again before the next write."""
        self._file.broken = True

    def check(self) -> None:
        """Raise when a file that SQLite keeps beside the database is not the one that is open."""
        self._file.check()

    def changed_by_others(self) -> bool:
        """Whether another connection has committed since the last call; never waits.

        While the connection is in use all the time, the next transaction looks, and the call after it answers.
        """
        if self._own():
            try:
                self._compare_versions()
            finally:
                self.disown()
        changed, self._others_committed = self._others_committed, False
        return changed

    def take_news(self) -> bool:
        """After a commit, in its thread: whether another connection had committed before it."""
        news, self._news = self._news, False
        return news

    def lend(self) -> apsw.Connection | None:
        """The connection, for a look at the file between two transactions; None unless it is soon free and in order."""
        with self._mutex:
            self._lookers += 1
            self._wake.wait_for(lambda: self._dead is not None or not self._owned, LEND_S)
            self._lookers -= 1
            if self._owned or self._dead is not None or self._file.long or self._file.broken:
                return None
            self._owned = True
            return self._file.live

    def _compare_versions(self) -> None:
        if self._file.others_committed():
            self._others_committed = self._news = True

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
            if self._owned or self._queue or self._file.long:  # a checkpoint comes before more of the same
                return False
            self._owned = True
            return True

    def disown(self, guest: object = None) -> None:
        """The connection is free again, if it is still this guest's, or nobody's."""
        with self._mutex:
            if self._guest is guest:
                self._guest, self._owned = None, False
            if self._queue or self._closing or self._file.long or self._lookers:
                self._wake.notify_all()
            if self._bells:
                self._bells.ring()

    def _serve(self) -> None:
        while (group := self._gather()) is not None:
            try:
                if group:
                    self._run(group)
                else:
                    self._file.checkpoint()
            finally:
                self.disown()

    def _gather(self) -> list[Operation] | None:
        """Own the connection and take what has gathered: [] asks for a checkpoint, None ends the thread."""
        waited = False
        with self._mutex:
            while self._dead is None:
                if self._owned:
                    pass
                elif self._file.long:
                    self._owned = True
                    return []
                elif self._queue and self._relay.moving and not waited:
                    waited = self._called = True  # who comes now need not call
                    self._wake.wait(GATHER_S)
                    continue
                elif self._queue:
                    self._owned, self._called = True, False
                    return self._take()
                elif self._closing:
                    return None
                self._called = False
                if self._queue and not self._owned:
                    continue  # it came just before that
                if not self._wake.wait(IDLE_S if self._file.dirty else None) and not (self._owned or self._queue):
                    self._owned = True
                    return []
            return None

    def _all_have_come(self) -> None:
        """Those whom the relay has woken have more to write by now, or nothing."""
        if self._called and not self._owned:
            with self._mutex:
                self._wake.notify()

    def _take(self) -> list[Operation]:
        """The next group: plain checkpoints alone if there are enough, as one statement commits those."""
        take = self._queue.popleft
        group = [take() for _ in range(min(len(self._queue), STATEMENT_ROWS))]
        if not are_checkpoints(group):
            group += [take() for _ in range(min(len(self._queue), GROUP_ROWS - len(group)))]
        return group

    # --- writing ----------------------------------------------------------------------------------------------

    def _run(self, group: list[Operation]) -> None:
        try:
            self._repair()
            with self._turnstile:
                self._world.reach("commit.before")
                commit_group(self._file, self._path, group)
                self._compare_versions()
                self._world.reach("commit.after")
        except LitewfError as error:
            fail(group, error)
        except BaseException as death:
            self.die(death, group)
            raise
        self._wrote(len(group))
        self._on_commit(group)

    def _wrote(self, size: int) -> None:
        self.transactions += 1
        self._unchecked += 1
        look = self._unchecked >= LOOK_EVERY or size >= LARGE_GROUP
        if look:
            self._unchecked = 0
        self._file.wrote(look=look)

    def _repair(self) -> None:
        if self._file.broken:
            self._file.repair()
            self._others_committed = True  # what is in memory may differ from what the file shows now

    # --- ending -----------------------------------------------------------------------------------------------

    def die(self, death: BaseException, group: Sequence[Operation] = ()) -> None:
        """Write nothing ever again; everyone who waits gets `death`."""
        with self._mutex:
            if self._dead is None:
                self._dead = death
            waiting = list(group)
            while self._queue:
                waiting.append(self._queue.popleft())
            self._wake.notify_all()
            self._bells.ring()
        fail(waiting, death)
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
            self._file.crash()
        self._turnstile.close()

    def abandon(self) -> None:
        """After a fork: the connection is the parent's, and closing it would drop the parent's locks."""
        self._dead = EngineClosedError("the engine belongs to the process that launched it; launch one after the fork")
        self._turnstile.forget_after_fork()
        self._mutex = threading.Lock()  # another thread may have held it
        self._wake = threading.Condition(self._mutex)
        keep_for_ever(self._file.live)

    def stop(self, timeout_s: float) -> bool:
        """Write what is queued, and nothing after; False if something still uses the connection then."""
        until = time.monotonic() + timeout_s
        with self._mutex:
            self._closing = True
            self._wake.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self.die(EngineClosedError(f"{self._path} is closed; launch the engine again"))
        with self._mutex:
            return self._wake.wait_for(lambda: not self._owned, max(until - time.monotonic(), 0.0))

    def close(self, patience_s: float = PATIENCE_S) -> None:
        """Close the file, after `stop` and after the readers."""
        self._file.close(patience_s)
        self._turnstile.close()
