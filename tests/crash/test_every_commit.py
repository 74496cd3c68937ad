"""An engine that is killed at every commit in turn, and again while it recovers, keeps every promise."""

import pytest

from tests.crash.explorer import Scenario, SecondDeaths, Tally, derived, every, explore
from tests.crash.scenarios import SCENARIOS, the_smallest

pytestmark = pytest.mark.usefixtures("silent_logs")
FEWEST_POINTS = 12  # of any scenario: a workflow that is started and ends has as many


def _explore(
    scenario: Scenario, second_deaths: SecondDeaths, request: pytest.FixtureRequest, *, stride: int = 1
) -> None:
    tally = Tally()
    points = explore(
        scenario, second_deaths=second_deaths, tally=tally, stride=stride, first=1 + len(scenario.name) % stride
    )
    request.node.user_properties.append(("crash cycles", (tally.cycles, tally.seconds)))
    assert points > FEWEST_POINTS, f"only {points} crash points were reached"
    assert tally.cycles >= points // stride, str(tally)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_promise_is_kept_when_it_dies_at_every_ninth_point(
    scenario: Scenario, request: pytest.FixtureRequest
) -> None:
    """With its threads in full swing, as they are not when a recorded run is cut. Which points depends on the scenario,
    so that all together every kind of commit has its turn, before and after.
    """
    _explore(scenario, derived, request, stride=9)


@pytest.mark.nightly
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_promise_is_kept_when_it_dies_anywhere(scenario: Scenario, request: pytest.FixtureRequest) -> None:
    _explore(scenario, derived, request)


def test_every_promise_is_kept_when_it_dies_anywhere_and_again_anywhere(request: pytest.FixtureRequest) -> None:
    """A7: a death while it recovers changes nothing of how it ends."""
    _explore(the_smallest, every, request)


@pytest.mark.nightly
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_pair_of_deaths(scenario: Scenario, request: pytest.FixtureRequest) -> None:
    _explore(scenario, every, request)
