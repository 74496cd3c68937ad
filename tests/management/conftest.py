"""The stage of these tests."""

from pathlib import Path

import pytest
from tests.stage import Stage

import litewf


@pytest.fixture
def stage(path: Path, registry: litewf.Registry) -> Stage:
    return Stage(path, registry)
