"""A program that only writes notes, numbered from 1, and says when each is acknowledged; and what is left of it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import apsw

from litewf.testing.disk import Image, Recording, distinct, every_cut, images, recorded

NOTES = 16
SIZES = (10, 3000, 9000)  # bytes, in turn: in one page, in a few, on pages of its own


@contextmanager
def opened(path: Path, vfs: str, journal: str, synchronous: int) -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(str(path), vfs=vfs)) as connection:
        connection.pragma("journal_mode", journal)
        connection.pragma("synchronous", synchronous)
        connection.wal_autocheckpoint(0)
        yield connection


def run(path: Path, *, synchronous: int, journal: str = "wal") -> Recording:
    """Write all notes; known at each moment is the number of the last one that was acknowledged."""
    acknowledged = 0
    with recorded(path, lambda: acknowledged) as (recording, vfs):
        with opened(path, vfs, journal, synchronous) as connection, opened(path, vfs, journal, synchronous) as other:
            connection.execute("CREATE TABLE note (number INTEGER PRIMARY KEY, text TEXT)")
            for number in range(1, NOTES + 1):
                with connection:
                    connection.execute("INSERT INTO note VALUES (?, ?)", (number, "x" * SIZES[number % 3]))
                    connection.execute("UPDATE note SET text = text || 'y' WHERE number = ?", (number - 1,))
                acknowledged = number
                assert other.execute("SELECT count(*) FROM note").get == number
                if number % 5 == 0 and journal == "wal":
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
        recording.look()
    return recording


def judged(path: Path, image: Image) -> str:
    """Fine, or what is wrong with what SQLite makes of an image."""
    image.write(path)
    acknowledged = image.marks[-1] if image.marks else 0
    assert isinstance(acknowledged, int)
    with closing(apsw.Connection(str(path))) as connection:
        try:
            if connection.execute("PRAGMA integrity_check").get != "ok":
                return "corrupt"
            if not connection.execute("SELECT count(*) FROM sqlite_schema").get:
                return "fine" if acknowledged == 0 else "lost"
            found = [number for (number,) in connection.execute("SELECT number FROM note ORDER BY number")]
        except (apsw.CorruptError, apsw.NotADBError):
            return "corrupt"
    if found != list(range(1, len(found) + 1)):
        return "corrupt"
    return "lost" if len(found) < acknowledged else "fine"


def verdicts(path: Path, recording: Recording, *damages: str, seeds: int = 1) -> Counter[str]:
    """What becomes of all images that differ."""
    cuts = distinct(recording, every_cut(recording, damages, range(seeds)))
    return Counter(judged(path, image) for image in images(recording, cuts))
