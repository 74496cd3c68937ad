"""Which processes hold which lock on a file and on what lies beside it, as far as the system tells (Linux does).

For people only; nothing decides by it. It reads what the kernel lists and never opens a file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

LIST = Path("/proc/locks")
# the bytes of the -shm that SQLite locks, and what each of them means
SHM_BYTES = {120: "writes", 121: "checkpoints", 122: "recovers the -wal"}
FIRST_READER, LAST_READER = 123, 127
STILL_OPEN = 128


class Holder(NamedTuple):
    """One lock that a process holds."""

    pid: int
    program: str
    what: str


def holders(db: Path) -> list[Holder] | None:
    """The locks that others have on a file, its -shm and litewf's files beside it; None where the system hides them."""
    try:
        lines = LIST.read_text().splitlines()
    except OSError:
        return None
    named = _inodes(db)
    found = [holder for line in lines if (holder := _holder(line, named)) is not None]
    return sorted({holder for holder in found if holder.pid != os.getpid()})


def _inodes(db: Path) -> dict[str, str]:
    """What is locked, by the device and inode with which the kernel names it."""
    named = {}
    for suffix in ("", "-shm", "-next", "-turn"):
        try:
            found = db.with_name(db.name + suffix).stat()
        except OSError:
            continue
        device = f"{found.st_dev >> 8 & 0xFFF:02x}:{found.st_dev & 0xFF | found.st_dev >> 12 & 0xFFF00:02x}"
        named[f"{device}:{found.st_ino}"] = suffix
    return named


def _holder(line: str, named: dict[str, str]) -> Holder | None:
    fields = line.split()
    if len(fields) < 8 or fields[1] == "->" or fields[5] not in named:  # an arrow: it waits for the lock
        return None
    pid, suffix, first = int(fields[4]), named[fields[5]], fields[6]
    what = _what(suffix, fields[3], int(first))
    return None if what is None else Holder(pid, _program(pid), what)


def _what(suffix: str, mode: str, first: int) -> str | None:
    if suffix == "-turn":
        return "has its turn to write"
    if suffix == "-next":
        return "is next to write"
    if suffix == "-shm":
        if first == STILL_OPEN:
            return "has it open"
        if FIRST_READER <= first <= LAST_READER:
            return "reads"
        return SHM_BYTES.get(first)
    return "keeps all others out" if mode == "WRITE" else None  # shared: every connection has that


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "?"
