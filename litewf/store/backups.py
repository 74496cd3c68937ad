"""A copy of the file as of one moment, complete in itself and owned by nobody."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import apsw

from litewf.errors import StoreUnsupportedError
from litewf.store import place
from litewf.store.database import open_reader, translated
from litewf.store.migrate import migrations, version_of

AT_REST = """
    BEGIN;
    UPDATE workflow SET owner = NULL, fence = fence + 1,
        phase = iif(phase IN ('running', 'stopping'), 'ready', phase) WHERE owner IS NOT NULL;
    DELETE FROM executor;
    COMMIT;
"""


def copy(connection: apsw.Connection, target: Path) -> None:
    """Copy what `connection` reads to `target`, which appears only when it is complete."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        connection.pragma("query_only", 0)  # VACUUM INTO writes, though not to this file
        try:
            connection.execute("VACUUM INTO ?", (str(part),))
        finally:
            connection.pragma("query_only", 1)
        _settle(part)
        _publish(part, target)
    finally:
        part.unlink(missing_ok=True)


def copy_of(path: str | os.PathLike[str], target: Path) -> None:
    """Copy a file, whether this process has it open or not; nothing is written to it, whatever its schema."""
    original = place.resolve(path)
    place.check(original, create=False, header=False, newest=0)  # the connection reads the header; see there
    connection = open_reader(original)
    try:
        with translated(original, "read"):
            if version_of(connection, original, len(migrations())) == 0:
                raise StoreUnsupportedError(f"{original} holds no workflows yet: no engine has opened it")
            copy(connection, target)
    finally:
        connection.close()


def _publish(part: Path, target: Path) -> None:
    try:
        os.link(part, target)  # never overwrites
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        part.rename(target)


def _settle(part: Path) -> None:
    """What ran in the original is ready in the copy, and the copy is on the disk."""
    with translated(part, "write"), contextlib.closing(apsw.Connection(str(part))) as copied:
        copied.execute(AT_REST)
    with part.open("rb") as file:
        os.fsync(file.fileno())
