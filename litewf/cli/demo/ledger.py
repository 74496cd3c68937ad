"""The ledger: one line for each step body that started, in a file that litewf knows nothing of.

Lines are only ever appended (O_APPEND), so a body that ran twice has two lines.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple


class Entry(NamedTuple):
    """One body that started, in which process, and the key that the outside world would have seen."""

    step: str
    pid: int
    idempotency_key: str


def append(path: Path, entry: Entry) -> None:
    """Add one line, in one write."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, (json.dumps(entry) + "\n").encode())
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Entry]:
    """All entries in their order; none without a file."""
    if not path.exists():
        return []
    return [Entry(*json.loads(line)) for line in path.read_text().splitlines()]
