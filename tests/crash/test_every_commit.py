"""An engine that is killed at every commit in turn, and again while it recovers, keeps every promise."""

import logging
from collections.abc import Iterator

import pytest
from tests.crash import explorer
from tests.crash.explorer import Scenario, Tally, explore
from tests.crash.scenarios import SCENARIOS


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of deaths need no log."""
    logger = logging.getLogger("litewf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_promise_is_kept_when_it_dies_anywhere(scenario: Scenario) -> None:
    tally = Tally()
    explore(scenario, second_deaths=explorer.derived, tally=tally)
    print(scenario.name, tally.points, tally)
