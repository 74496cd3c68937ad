"""Which litewf processes live: one locked file per engine start, beside the database.

The engine creates its own before it writes its executor row, and probes those named in the rows of its peers.
The lock ends with the process and with nothing else: a kill frees it at once, sleep or a debugger never. It
must never touch a file that is not named `<database>-lock-<token>`, must never use a name twice, and must
never take a missing file for a death: whoever lost its file stops by itself (`intact`), and probers wait.
"""

from __future__ import annotations

import os
import re
import sys
from enum import Enum, auto
from pathlib import Path
from typing import Self

from litewf.errors import StoreError
from litewf.store import oslock

_TOKEN = re.compile(r"[0-9A-Za-z_-]+")
_ATTEMPTS = 10


class Peer(Enum):
    """What a probe of another process's lock file says."""

    ALIVE = auto()
    DEAD = auto()
    MISSING = auto()  # unlinked, or not a name for this database: no proof of death


class ProcessLock:
    """The lock that says this process lives, held from `create` until `release` or death."""

    def __init__(self, path: Path, fd: int) -> None:
        self._path = path
        self._fd = fd
        self._pid = os.getpid()

    @classmethod
    def create(cls, db: Path, token: str) -> Self:
        """Create and lock the file; `token` (letters, digits, `-`, `_`) must be new for each start."""
        if not _TOKEN.fullmatch(token):
            raise ValueError(f"token must be letters, digits, '-' or '_', not {token!r}")
        for attempt in range(_ATTEMPTS):
            # Each attempt has a name of its own: a cleaner about to unlink the last one cannot hit this one.
            path = _beside(db, token if attempt == 0 else f"{token}-{attempt}")
            fd = _create_locked(path, db)
            if fd is not None:
                return cls(path, fd)
        raise StoreError(f"another program keeps locking or deleting the new lock files of {db}; stop it and try again")

    @property
    def name(self) -> str:
        """The file's name without its directory, as peers `probe` it."""
        return self._path.name

    def intact(self) -> bool:
        """Whether peers can still see that this process lives; False means stop all work."""
        return self._fd >= 0 and oslock.names(self._path, self._fd)

    def release(self) -> None:
        """Unlink the file, then unlock it: peers see a file that is gone, never a death. Idempotent."""
        if self._fd < 0:
            return
        if os.getpid() != self._pid:  # a forked child must not end its parent's lock
            self.forget_after_fork()
            return
        ours = self.intact()
        if ours and sys.platform != "win32":
            self._path.unlink(missing_ok=True)
        oslock.unlock(self._fd)  # closing alone would leave it to a forked child's copy
        self._close()
        if ours and sys.platform == "win32":  # an open file cannot be unlinked there
            self._path.unlink(missing_ok=True)

    def drop(self) -> None:
        """Free the lock as death does: the file stays, and peers see that its holder is dead."""
        if self._fd >= 0:
            oslock.unlock(self._fd)
            self._close()

    def forget_after_fork(self) -> None:
        """In a forked child: close this copy; the parent's lock stays.

        Until the child does so, its copy keeps the lock alive beyond the parent's death.
        """
        self._close()

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def names_beside(db: Path) -> list[str]:
    """The lock files that lie beside `db`, of the living and the dead."""
    prefix = _beside(db, "").name
    with os.scandir(db.parent) as entries:
        return [entry.name for entry in entries if entry.name.startswith(prefix)]


def probe(db: Path, name: str) -> Peer:
    """Say whether the holder of the lock file `name` beside `db` lives; takes some 8 us and never waits."""
    fd = _open(db, name)
    if fd is None:
        return Peer.MISSING
    try:
        # Shared, so that peers probing at the same moment do not take each other for the holder.
        return Peer.DEAD if oslock.lock(fd, shared=True, blocking=False) else Peer.ALIVE
    finally:
        os.close(fd)


def remove_dead(db: Path, name: str) -> bool:
    """Unlink the lock file of a dead process; True when it was unlinked here, False when alive or gone."""
    fd = _open(db, name)
    if fd is None:
        return False
    try:
        dead = oslock.lock(fd, shared=True, blocking=False) and oslock.names(db.parent / name, fd)
        if dead and sys.platform != "win32":
            return _unlink(db.parent / name)
    finally:
        os.close(fd)
    return dead and _unlink(db.parent / name)  # Windows: only once it is closed


def _create_locked(path: Path, db: Path) -> int | None:
    try:
        fd = oslock.create(path, like=db)
    except FileExistsError as error:
        raise StoreError(f"lock file {path} exists already: each start needs a new token") from error
    # Between creation and lock a peer may have locked it, or unlinked it as dead.
    if oslock.lock(fd, blocking=False) and oslock.names(path, fd):
        return fd
    os.close(fd)
    path.unlink(missing_ok=True)
    return None


def _open(db: Path, name: str) -> int | None:
    """Open a peer's file; None when it is missing, or when the name is not that of a lock file of `db`.

    Rows can carry such names: after the database was renamed, or edited by hand.
    """
    prefix = _beside(db, "").name
    if not (name.startswith(prefix) and _TOKEN.fullmatch(name, len(prefix))):
        return None
    try:
        return oslock.open_existing(db.parent / name)
    except FileNotFoundError:
        return None


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _beside(db: Path, token: str) -> Path:
    return db.with_name(f"{db.name}-lock-{token}")
