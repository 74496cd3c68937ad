"""The stage of these tests."""

import faulthandler
from collections.abc import Iterator
from pathlib import Path

import pytest

import litewf
from tests.stage import PATIENCE_S, Stage


@pytest.fixture
def stage(path: Path, registry: litewf.Registry) -> Iterator[Stage]:
    faulthandler.dump_traceback_later(3 * PATIENCE_S, exit=True)  # a clock that stands still ends no wait
    yield Stage(path, registry)
    faulthandler.cancel_dump_traceback_later()
