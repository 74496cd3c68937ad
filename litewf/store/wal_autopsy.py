"""Whether SQLite would silently forget commits because the -wal was damaged.

When SQLite opens a file that nobody has open, it reads the -wal up to the first frame whose checksum is wrong, which it
takes for the end: one flipped bit, and every commit behind it is gone without a word. With every commit synced, an
honest crash cannot look like that: only the very last commit may be torn. So commits behind a damaged one prove damage.
What hits the very last commit cannot be told from a power cut, and passes.

Called by the write connection as soon as it is open, under the turnstile, before anything is written. SQLite has done
the long part by then, which is to verify the checksums: here the headers of the frames behind are read, and one commit
is verified again. The -wal may be read while it is open: SQLite keeps its locks on the database and the -shm, never
there. It must never open those, and must never write.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import apsw

from litewf.errors import StoreCorruptError, StoreError

LOG = logging.getLogger("litewf")
ACCEPT = "LITEWF_ACCEPT_DAMAGED_WAL"
HEADER, FRAME_HEADER = 32, 24  # bytes
SECTOR = 512  # bytes that a disk writes as a whole, or more
MARKED = 16  # of a frame's header: whether it ends a commit, and whose it is
ORDERS = {0x377F0682: "<", 0x377F0683: ">"}  # of the words that are summed, by the magic number
WORD = 0xFFFFFFFF
Sums = tuple[int, int]


class Damage(NamedTuple):
    """What was found."""

    frame: int  # the first that cannot be read; 0: the header
    commits: int  # behind it, and not in what SQLite makes of the file


def check(connection: apsw.Connection, path: Path) -> None:
    """Raise when commits would be forgotten; `connection` has written nothing yet."""
    connection.pragma("schema_version")  # the first read is when SQLite recovers the -wal
    kept, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    page_size = connection.pragma("page_size")
    assert isinstance(page_size, int)
    wal = path.with_name(f"{path.name}-wal")
    damage = examine(wal, page_size, max(kept, 0))
    if damage is None:
        return
    where = f"its frame {damage.frame}" if damage.frame else "its header"
    found = f"{wal} is damaged: {where} cannot be read, so SQLite would silently forget {damage.commits} commits behind"
    if _is_relaxed(connection) or os.environ.get(ACCEPT) == "1":
        LOG.warning("%s; they are given up", found)
        return
    raise StoreCorruptError(
        f"{found}. Stop every program that uses the file and copy it with its -wal and -shm to a safe place; then"
        f" restore a backup, or set {ACCEPT}=1 for one start to go on without those commits"
    )


def examine(wal: Path, page_size: int, kept: int) -> Damage | None:
    """Look behind the first `kept` frames, those that SQLite recovered or is using."""
    try:
        fd = os.open(wal, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read {wal}: {error.strerror}") from error
    try:
        return _Log(fd, page_size).damage_behind(kept)
    finally:
        os.close(fd)


class _Log:
    """The -wal as SQLite's documentation of the file format describes it; frames count from 1."""

    def __init__(self, fd: int, page_size: int) -> None:
        self._fd = fd
        self._stride = FRAME_HEADER + page_size
        self._header = os.pread(fd, HEADER, 0)
        self._frames = (os.fstat(fd).st_size - HEADER) // self._stride

    def damage_behind(self, kept: int) -> Damage | None:
        if self._frames <= kept or len(self._header) < HEADER:
            return None
        order = ORDERS.get(int.from_bytes(self._header[:4], "big"))
        if order is None or _sums(self._header[:24], order, (0, 0)) != _stored(self._header):
            return self._damaged_header()
        salts = self._header[16:24]
        commits = self._commits_behind(kept, salts, order)
        if len(commits) < 2:
            return None
        damaged = self._first_invalid(kept, commits[0], order)
        if damaged is None:  # they came after SQLite was asked, from a program that does not use the turnstile
            return None
        return Damage(damaged, len(commits))

    def _commits_behind(self, kept: int, salts: bytes, order: str) -> list[int]:
        """The frames of this generation of the log that end a commit.

        A header across two sectors may be torn: the salts of now behind what was there before, or behind garbage. Such
        a frame counts only if it is whole.
        """
        return [
            frame
            for frame, head in self._heads(kept)
            if head[8:16] == salts
            and head[4:8] != bytes(4)
            and (self._at(frame) % SECTOR <= SECTOR - MARKED or self._is_whole(frame, order))
        ]

    def _is_whole(self, frame: int, order: str) -> bool:
        """Whether a frame continues the sums that are written in the one before."""
        head, sums = self._frame(frame, order, self._sums_in(frame - 1))
        return sums == _stored(head)

    def _sums_in(self, frame: int) -> Sums:
        return _stored(os.pread(self._fd, FRAME_HEADER, self._at(frame)) if frame else self._header)

    def _heads(self, kept: int) -> Iterator[tuple[int, bytes]]:
        for frame in range(kept + 1, self._frames + 1):
            yield frame, os.pread(self._fd, FRAME_HEADER, self._at(frame))

    def _first_invalid(self, kept: int, commit: int, order: str) -> int | None:
        """The first frame up to this commit that does not continue the sums of the one before."""
        seed = self._sums_in(kept)
        for frame in range(kept + 1, commit + 1):
            head, sums = self._frame(frame, order, seed)
            if sums != _stored(head) or head[8:16] != self._header[16:24]:
                return frame
            seed = sums
        return None

    def _damaged_header(self) -> Damage | None:
        """A header that is torn while the log begins anew fits no frame; one that fits was whole, and in use.

        Its sums seed those of the first frame, and stand in it twice: as they are, and as what its words add up to.
        """
        for order in ORDERS.values():
            for seed in (_stored(self._header), _sums(self._header[:24], order, (0, 0))):
                head, sums = self._frame(1, order, seed)
                if sums == _stored(head):
                    return Damage(0, len(self._commits_behind(0, head[8:16], order)))
        return None

    def _frame(self, frame: int, order: str, seed: Sums) -> tuple[bytes, Sums]:
        """A frame's header, and what its sums should be."""
        content = os.pread(self._fd, self._stride, self._at(frame))
        return content[:FRAME_HEADER], _sums(content[:8] + content[FRAME_HEADER:], order, seed)

    def _at(self, frame: int) -> int:
        return HEADER + (frame - 1) * self._stride


def _stored(header: bytes) -> Sums:
    """The sums in the last 8 bytes of a header."""
    first, second = struct.unpack(">2I", header[-8:])
    return first, second


def _sums(content: bytes, order: str, seed: Sums) -> Sums:
    first, second = seed
    words = iter(struct.unpack(f"{order}{len(content) // 4}I", content))
    for word, following in zip(words, words, strict=True):
        first = (first + word + second) & WORD
        second = (second + following + first) & WORD
    return first, second


def _is_relaxed(connection: apsw.Connection) -> bool:
    """Whether a writer that does not sync its commits has used the file; it said so in a commit that it synced."""
    with suppress(apsw.SQLError):  # the commits that set up the tables are among those that are missing
        return bool(connection.execute("SELECT relaxed FROM store").get)
    return False
