"""A whole file as one value: two moments at which every row of every table is the same have the same state.

For tests of what survives; it reads everything.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from litewf.store.database import open_reader
from litewf.store.readers import snapshot


class Onlooker:
    """Looks at a file from beside its engine."""

    def __init__(self, path: Path) -> None:
        self._connection = open_reader(path)

    def state(self) -> bytes:
        """The state as of the last commit."""
        with snapshot(self._connection):
            names = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
            tables = [str(name).replace('"', '""') for (name,) in self._connection.execute(names)]
            digest = hashlib.sha256()
            for table in tables:
                rows = self._connection.execute(f'SELECT * FROM "{table}"').fetchall()
                digest.update(repr((table, sorted(rows, key=repr))).encode())
            return digest.digest()

    def close(self) -> None:
        """Never copies the WAL: that is for engines."""
        self._connection.close()
