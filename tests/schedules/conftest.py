"""The stage of these tests, and a workflow that notes its ticks."""

import faulthandler
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

import litewf
from tests.schedules.scene import Scene
from tests.stage import PATIENCE_S


@pytest.fixture
def scene(path: Path, registry: litewf.Registry) -> Iterator[Scene]:
    faulthandler.dump_traceback_later(3 * PATIENCE_S, exit=True)  # a clock that stands still ends no wait
    yield Scene(path, registry)
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def report(scene: Scene):
    """A workflow that notes when it was to run."""

    @scene.registry.workflow(name="report")
    def report(scheduled_at: datetime, actual_at: datetime) -> None:
        scene.note(scheduled_at, actual_at)

    return report
