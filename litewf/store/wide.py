"""Statements over many rows at once, in a few fixed sizes so that each is prepared only once.

SQLite is fast and Python's lock is not: it is taken again after every statement. So a group of checkpoints is one
statement over a `VALUES` list, padded with NULL rows up to the next size; the statement must ignore such rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import apsw

Value = str | int | None
CACHED_TEXT = 16_000  # apsw does not cache longer statements
SIZES = (1, 4, 16, 64, 128, 256, 512, 1024)


class Wide:
    """One statement with `{v}` where the rows go: a table `v` of these columns.

    The list is no common table expression: beside one, SQLite takes each row for a SELECT of its own, and five times as
    long to prepare the statement.
    """

    def __init__(self, columns: str, sql: str) -> None:
        names = columns.split(", ")
        self.width = len(names)
        row = "(" + ",".join("?" * self.width) + ")"
        named = ", ".join(f"column{at} AS {name}" for at, name in enumerate(names, 1))
        listed = {size: f"(SELECT {named} FROM (VALUES {','.join([row] * size)})) AS v" for size in SIZES}
        texts = {size: sql.replace("{v}", rows) for size, rows in listed.items()}
        self._texts = {size: text for size, text in texts.items() if len(text) <= CACHED_TEXT}
        self._most = max(self._texts)

    def run(self, connection: apsw.Connection, values: list[Value]) -> int:
        """Run over the flattened rows; how many rows changed."""
        width, most, changed = self.width, self._most, 0
        for start in range(0, len(values), most * width):
            part = values if len(values) <= most * width else values[start : start + most * width]
            changed += self._run_part(connection, part)
        return changed

    def _run_part(self, connection: apsw.Connection, values: list[Value]) -> int:
        count = len(values) // self.width
        size = next(size for size in self._texts if size >= count)
        if size > count:
            values = values + [None] * ((size - count) * self.width)
        connection.execute(self._texts[size], values)
        return connection.changes()


def integers(values: Iterable[int]) -> object:
    """Keys as a table, for `SELECT value FROM carray(?)`; an empty one cannot be bound, so it holds 0, no key."""
    return apsw.carray(array("q", values) or array("q", [0]))


def texts(values: Sequence[str]) -> object:
    """Texts as a table; an empty one cannot be bound, so it holds a text that is no name and no id."""
    return apsw.carray(tuple(values) or ("",))
