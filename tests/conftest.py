"""What every test may ask for: a registry of its own, a path for a file, an engine on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import litewf


@pytest.fixture
def registry() -> litewf.Registry:
    return litewf.Registry()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "flows.db"


@pytest.fixture
def engine(path: Path, registry: litewf.Registry) -> Iterator[litewf.Engine]:
    with litewf.Engine(path, registry=registry) as running:
        yield running
