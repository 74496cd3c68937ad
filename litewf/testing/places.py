"""Where the files of a trial are: in memory if there is such a place, and gone after it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from litewf.registry import Registry
from litewf.testing.mortal import MortalEngine

MEMORY = Path("/dev/shm")  # noqa: S108 - a fresh directory is made there


@contextmanager
def workplace() -> Iterator[Path]:
    """A directory for files that need not survive the test."""
    folder = tempfile.mkdtemp(prefix="litewf-test-", dir=MEMORY if MEMORY.is_dir() else None)
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder)


@cache
def fresh_file() -> bytes:
    """A file that no workflow has run on: to write this is much cheaper than to create one."""
    with workplace() as folder:
        path = folder / "flows.db"
        with MortalEngine(path, registry=Registry()):
            pass
        return path.read_bytes()
