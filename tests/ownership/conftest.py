"""Processes of a test, killed at its end."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from children import Child, Spawn


@pytest.fixture
def spawn(path: Path) -> Iterator[Spawn]:
    """Starts a process on the file of this test."""
    started: list[Child] = []

    def start(code: str, options: Sequence[str] = (), *, pipes: bool = True) -> Child:
        started.append(Child(code, path, options=options, pipes=pipes))
        return started[-1]

    yield start
    for child in started:
        child.close()
