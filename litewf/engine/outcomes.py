"""Outcomes of workflows that ended in this engine a moment ago: most callers ask for the result right after the end.

What is here was true at the last commit of this process, and nothing else in it has changed a workflow's outcome since.
Another process that does (rewind, delete) is heard of as everywhere: in the next transaction, or within 20 ms.
"""

from __future__ import annotations

from collections.abc import Sequence

from litewf.store.endings import Ending, Finish
from litewf.store.operations import Operation, Turn

MOST = 10_000  # outcomes
LONGEST = 200  # characters of a text: more is read from the file


class Outcomes:
    """The newest outcomes by workflow id."""

    def __init__(self) -> None:
        self._endings: dict[str, Ending] = {}
        self.find = self._endings.get

    def forget(self) -> None:
        """Somebody else may have changed anything."""
        self._endings.clear()

    def committed(self, operations: Sequence[Operation]) -> None:
        """A group was written: what it ended is known; a change of the general form may concern any of the others."""
        kinds = set(map(type, operations))
        if Turn in kinds and self._endings:
            self._endings.clear()
        if Finish not in kinds:
            return
        if len(self._endings) > MOST:
            self._endings.clear()
        for operation in operations:
            if type(operation) is Finish and operation.result and operation.error is None:
                ending = operation.ending
                if len(ending.output or ending.error or "") <= LONGEST:
                    self._endings[ending.id] = ending
