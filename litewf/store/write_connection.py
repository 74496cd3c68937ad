"""The connection that writes groups: opened, kept in shape, opened again after a failure, closed.

Called by the writer only, by one thread at a time: whoever owns the right to write. It must never be used for what a
user's SQL does, and nobody else checkpoints.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import apsw

from litewf.errors import StoreError, StoreLockedError
from litewf.store import wal_autopsy
from litewf.store.database import BUSY_TIMEOUT_MS, Durability, open_writer, relax, translate, translated
from litewf.store.migrate import migrate
from litewf.store.place import Identity
from litewf.store.turnstile import Turnstile
from litewf.world import World

LOG = logging.getLogger("litewf")
CHECKPOINT_FRAMES = 4000  # of WAL that the database lacks, before they are copied
HUGE_FRAMES = 4 * CHECKPOINT_FRAMES  # of WAL, before writers wait for readers so that it can begin anew
PATIENCE_MS = 500  # how long they wait then


class WriteConnection:
    """One open connection at a time; `live` is the one to use."""

    def __init__(self, path: Path, durability: Durability, world: World, turnstile: Turnstile) -> None:
        self._path = path
        self._durability: Durability = durability
        self._world = world
        self._turnstile = turnstile
        self._press_at = HUGE_FRAMES
        self._dirty = False  # the WAL holds something that a checkpoint would copy
        self.long = False  # ... and enough of it that one is due
        self.broken = False  # to be opened again before the next transaction
        self.reopened = 0
        self.live = self._open(first=True)
        self._seen_version = self.live.pragma("data_version")

    def _open(self, *, first: bool) -> apsw.Connection:
        with self._turnstile:
            connection = self._connect()
            try:
                with translated(self._path, "set up the tables"):
                    if first:
                        self._examine(connection)
                    migrate(connection, self._path, self._world)
                    if self._durability != "full":
                        relax(connection, self._path, self._durability)
                self._beside = [(path, Identity.of(path)) for path in self._sidecars()]
            except BaseException:
                connection.close()
                raise
        return connection

    def _connect(self) -> apsw.Connection:
        return open_writer(self._path, "full", self._world.vfs)  # whatever is set up must last, in order

    def _examine(self, connection: apsw.Connection) -> None:
        wal_autopsy.check(connection, self._path)

    def _sidecars(self) -> list[Path]:
        return [self._path.with_name(f"{self._path.name}{suffix}") for suffix in ("-wal", "-shm")]

    def check(self) -> None:
        """Raise when the -wal or the -shm was deleted or replaced: commits would go nowhere."""
        for path, identity in self._beside:
            identity.check(path)

    # --- others -----------------------------------------------------------------------------------------------

    def others_committed(self) -> bool:
        """Whether another connection has committed since the last call."""
        try:
            version = self.live.pragma("data_version")
        except apsw.Error:
            self.broken = True
            return True
        changed = version != self._seen_version
        self._seen_version = version
        return bool(changed)

    # --- the WAL ----------------------------------------------------------------------------------------------

    @property
    def dirty(self) -> bool:
        """Whether a checkpoint would have anything to do."""
        return self._dirty

    def wrote(self, *, look: bool) -> None:
        """A transaction has ended; `look` how long the WAL has become."""
        self._dirty = True
        if look and not self.broken:
            with contextlib.suppress(apsw.Error):
                frames, copied = self.live.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
                self.long = frames - copied >= CHECKPOINT_FRAMES or frames >= self._press_at

    def checkpoint(self) -> None:
        """Copy the WAL into the database: without waiting while busy, and cutting the WAL when all is quiet."""
        busy = self.long
        self.long = False
        self._dirty = busy
        if self.broken:
            return
        try:
            with self._turnstile:
                if busy:
                    self._copy()
                else:
                    self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE, 0)
        except apsw.BusyError:
            pass  # a reader needs the WAL as it is; the next time will do
        except (apsw.Error, StoreError) as error:
            LOG.warning("%s: checkpoint failed: %s; it is tried again", self._path, error)
            self.broken = not isinstance(error, apsw.FullError)  # without room the WAL stays, and nothing is lost

    def _copy(self) -> None:
        """Copy what no reader needs any more; when readers follow each other without a gap, wait for a gap."""
        frames, copied = self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE, 0)
        if frames < HUGE_FRAMES:
            self._press_at = HUGE_FRAMES
        elif copied < frames or frames >= self._press_at:
            self._press_at = frames + HUGE_FRAMES  # whatever comes of it: not again at once
            self._checkpoint(apsw.SQLITE_CHECKPOINT_RESTART, PATIENCE_MS)
            self._press_at = HUGE_FRAMES

    def _checkpoint(self, mode: int, patience_ms: int) -> tuple[int, int]:
        self.live.set_busy_timeout(patience_ms)
        try:
            return self.live.wal_checkpoint(mode=mode)
        finally:
            self.live.set_busy_timeout(BUSY_TIMEOUT_MS)

    # --- again, and the end -----------------------------------------------------------------------------------

    def repair(self) -> None:
        """After a failed write: open the file again, and make durable what it shows."""
        with contextlib.suppress(apsw.Error):
            self.live.close()
        self.live = self._open(first=False)
        try:
            with self._turnstile:
                self._checkpoint(apsw.SQLITE_CHECKPOINT_RESTART, PATIENCE_MS)
        except apsw.BusyError as error:  # what is behind frames that were lost would be lost with them
            raise StoreLockedError(
                f"{self._path}: a write failed, and running queries still need the -wal that it left; it is tried"
                " again once they have ended"
            ) from error
        except apsw.Error as error:
            raise translate(error, self._path, "open again", self.live) from error
        self.broken = False
        self.reopened += 1
        self._seen_version = None  # whatever was read before must be read again
        LOG.warning("%s: opened again after a failed write", self._path)

    def close(self, patience_s: float) -> None:
        """Close; the last one to close the file in any process copies the WAL into the database and removes it."""
        entered = not self.broken and self._turnstile.enter_within(patience_s)
        try:
            if entered:
                self.live.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0)
            self.live.close()
        except apsw.Error as error:
            LOG.warning(
                "%s: closing failed: %s; nothing is lost, the next launch goes on from the -wal", self._path, error
            )
        finally:
            if entered:
                self._turnstile.leave()

    def crash(self) -> None:
        """Close as a killed process would, without a checkpoint."""
        with contextlib.suppress(apsw.Error):
            self.live.close()
