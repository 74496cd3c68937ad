"""Brings a file to the schema of this code: numbered SQL files, all that are missing in one transaction.

Called once per open, by the writer, before anything else touches the tables. A file that is newer than the code is
left alone.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import apsw

from litewf.errors import StoreUnsupportedError, StoreVersionError
from litewf.store.place import APPLICATION_ID
from litewf.world import World


@cache
def migrations() -> tuple[str, ...]:
    """The SQL of each migration, in order; their number is the schema's version."""
    found = Path(__file__).with_name("migrations").glob("[0-9]*.sql")
    return tuple(file.read_text() for file in sorted(found))


def migrate(connection: apsw.Connection, path: Path, world: World) -> None:
    """Apply what is missing. Two processes may try at once: the second finds nothing left to do."""
    newest = len(migrations())
    if version_of(connection, path, newest) == newest:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(version_of(connection, path, newest) + 1, newest + 1):
            _apply(connection, number, world)
        world.reach("migration.before")
        connection.execute("COMMIT")
        world.reach("migration.after")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def version_of(connection: apsw.Connection, path: Path, newest: int) -> int:
    """The version of the schema; 0 for a file without one."""
    version = connection.pragma("user_version")
    application = connection.pragma("application_id")
    assert isinstance(version, int)
    if application != APPLICATION_ID and (application or version):  # the -wal may say so where the header did not
        raise StoreUnsupportedError(
            f"{path} belongs to another program (application_id {application:#x}, user_version {version}): give litewf"
            " its own file"
        )
    if version > newest:
        raise StoreVersionError(
            f"{path} was written by a newer litewf (schema {version}; this one knows {newest}); "
            "upgrade litewf in this program. Nothing was changed"
        )
    return version


def _apply(connection: apsw.Connection, number: int, world: World) -> None:
    for _ in connection.execute(migrations()[number - 1]):
        pass
    if number == 1:
        row = (str(world.entropy.uuid4()), world.now_us())
        connection.execute("INSERT INTO store (one, store_id, created_us) VALUES (1, ?, ?)", row)
        connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", number)
