"""What is said of a -wal at the start: honest after every power cut, damaged when a bit of it has flipped.

A random run of commits, rollbacks and checkpoints is recorded; the power is cut at random moments of it, and what the
disk may hold then must be taken for sound, with every acknowledged commit. Then single bits of the -wal flip that a
killed process leaves: the file is refused, unless at most the last two commits are lost: those cannot be told from a cut.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw

from fuzz.case import Case
from litewf.errors import StoreCorruptError
from litewf.store import wal_autopsy
from litewf.testing.disk.images import PROCESS, Cut, Image, every_cut, images
from litewf.testing.disk.recording import Recording, recorded

ACTS, CUTS, FLIPS = 25, 40, 20
REFUSED, REFUSED_BY_SQLITE = "bit flip: refused", "bit flip: refused by SQLite"
LOST = ("bit flip: nothing lost", "bit flip: the last commit is lost", "bit flip: the last two are lost")
MODES = (apsw.SQLITE_CHECKPOINT_PASSIVE, apsw.SQLITE_CHECKPOINT_RESTART, apsw.SQLITE_CHECKPOINT_TRUNCATE)


def run(case: Case) -> None:
    """Record, cut, flip."""
    recording = _recorded(case.chance, case.folder / "run.db")
    place = case.folder / "left.db"
    possible = every_cut(recording, seeds=[case.number])
    for image in images(recording, case.chance.sample(possible, min(CUTS, len(possible)))):
        _cut(case, image, place)
    (killed,) = images(recording, [Cut(len(recording.operations), PROCESS)])
    if len(killed.files.get("-wal", b"")) > wal_autopsy.HEADER:
        for _ in range(FLIPS):
            _flip(case, killed, place)


def _cut(case: Case, image: Image, place: Path) -> None:
    image.write(place)
    acknowledged = image.marks[-1] if image.marks else 0
    with _opened(place) as connection:
        wal_autopsy.check(connection, place)  # raises where it must not
        kept = _commits(connection)
    assert isinstance(acknowledged, int)
    assert kept >= acknowledged, f"{image.cut}: {acknowledged} commits were acknowledged, {kept} are there"
    case.met(f"cut: {image.cut.damage}")


def _flip(case: Case, killed: Image, place: Path) -> None:
    killed.write(place)
    with _opened(place) as connection:
        all_commits = _commits(connection)
    wal = bytearray(killed.files["-wal"])
    at = case.chance.randrange(len(wal))
    wal[at] ^= 1 << case.chance.randrange(8)
    Image(killed.cut, {**killed.files, "-wal": bytes(wal)}, frozenset(), ()).write(place)
    with _opened(place) as connection:
        try:
            wal_autopsy.check(connection, place)
            lost = all_commits - _commits(connection)
        except StoreCorruptError:
            case.met(REFUSED)
            return
        except apsw.CorruptError:  # the database had more of the -wal than is left of it
            case.met(REFUSED_BY_SQLITE)
            return
    assert lost <= 2, f"byte {at}: {lost} commits are silently lost"
    case.met(LOST[lost])


# --- a run --------------------------------------------------------------------------------------------------------


def _recorded(chance: random.Random, path: Path) -> Recording:
    """Commits of all sizes, larger than the cache too, some of them undone; the -wal begun anew now and then."""
    commits = [0]
    with recorded(path, lambda: commits[0]) as (recording, vfs):
        connection = apsw.Connection(str(path), vfs=vfs)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", 2)
        connection.wal_autocheckpoint(0)
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.pragma("cache_size", chance.choice([10, 2000]))
        connection.execute("CREATE TABLE made (number); CREATE TABLE ballast (key INTEGER PRIMARY KEY, content BLOB)")
        for _ in range(chance.randint(3, ACTS)):
            chance.choice([_commit, _commit, _commit, _commit, _undo, _checkpoint])(chance, connection, commits)
            recording.look()
        connection.close()
    return recording


def _commit(chance: random.Random, connection: apsw.Connection, commits: list[int]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO made VALUES (?)", (commits[0] + 1,))
    _write(chance, connection)
    connection.execute("COMMIT")
    commits[0] += 1


def _undo(chance: random.Random, connection: apsw.Connection, _commits: list[int]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    _write(chance, connection)
    connection.execute("ROLLBACK")


def _write(chance: random.Random, connection: apsw.Connection) -> None:
    for _ in range(chance.choice([0, 0, 1, 20])):
        connection.execute("INSERT INTO ballast VALUES (NULL, randomblob(?))", (chance.choice([10, 3_000, 9_000]),))
        connection.execute("DELETE FROM ballast WHERE key % 3 = 0")


def _checkpoint(chance: random.Random, connection: apsw.Connection, _commits: list[int]) -> None:
    with suppress(apsw.BusyError):
        connection.wal_checkpoint(mode=chance.choice(MODES))


@contextmanager
def _opened(path: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(path))
    try:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        yield connection
    finally:
        connection.close()


def _commits(connection: apsw.Connection) -> int:
    if not connection.table_exists(None, "made"):
        return 0
    kept: int = connection.execute("SELECT count(*) FROM made").get
    return kept
