"""What the tests of replays share."""

from pathlib import Path

import pytest

from tests.crash.conftest import silent_logs
from tests.execution.support import Flavor
from tests.replay.runs import Runs

__all__ = ["silent_logs"]


@pytest.fixture(params=["sync", "async"])
def flavor(request: pytest.FixtureRequest) -> Flavor:
    return Flavor(is_async=request.param == "async")


@pytest.fixture
def runs(path: Path, flavor: Flavor) -> Runs:
    return Runs(path, flavor)
