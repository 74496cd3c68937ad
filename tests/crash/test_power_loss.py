"""An engine whose power, or process, is cut at any moment of a run keeps every promise, on whatever the disk holds."""

import os
import random
import shlex

import pytest

from litewf.store import database
from litewf.testing.disk import POWER, PROCESS
from tests.crash import power
from tests.crash.explorer import Scenario
from tests.crash.power import Explored, enumerate_cuts
from tests.crash.scenarios import SCENARIOS, a_new_file, the_smallest

pytestmark = pytest.mark.usefixtures("silent_logs")
ALL = [the_smallest, a_new_file, *SCENARIOS]
SEED = 1


def _share(operations: int) -> int:
    """Of 20,000 cycles: more where one costs less, as far as there are images that differ."""
    for most, share in ((70, 2000), (100, 415), (130, 120), (180, 55)):
        if operations <= most:
            return share
    return 45


def _check(scenario: Scenario, explored: Explored, request: pytest.FixtureRequest) -> None:
    request.node.user_properties.append(
        ("cuts", (scenario.name, dict(explored.cycles), explored.again, explored.seconds))
    )
    assert not explored.violations, "\n".join(map(str, explored.violations[:5]))


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_every_promise_is_kept_after_a_cut_at_any_moment(scenario: Scenario, request: pytest.FixtureRequest) -> None:
    """20,000 cycles in all: when every scenario has run, counting.py counts them."""
    explored = enumerate_cuts(scenario, seed=SEED, budget=_share, again=8)
    _check(scenario, explored, request)
    assert explored.cycles.total() > 40, str(explored)
    assert explored.again > 0


@pytest.mark.nightly
@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.name)
def test_every_promise_is_kept_after_other_cuts_each_night(scenario: Scenario, request: pytest.FixtureRequest) -> None:
    """LITEWF_SEED repeats a night; each violation says so in the command that replays it."""
    seed = int(os.environ.get("LITEWF_SEED", random.SystemRandom().randrange(1 << 31)))
    _check(scenario, enumerate_cuts(scenario, seed=seed, budget=1500, again=300), request)


@pytest.mark.parametrize("synchronous", [0, 1], ids=["no syncs at all", "none after a commit"])
def test_missing_syncs_are_found_by_cutting_the_power_and_by_nothing_else(
    synchronous: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(database.SYNCHRONOUS, "full", synchronous)
    assert not enumerate_cuts(the_smallest, seed=SEED, budget=40, damages=[PROCESS]).violations
    found = enumerate_cuts(the_smallest, seed=SEED, budget=200, damages=POWER, stop_at=1)
    assert found.violations, f"not one of {found.cycles.total()} power cuts found it"


def test_a_violation_says_how_to_see_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(database.SYNCHRONOUS, "full", 1)
    for _ in range(10):
        (violation,) = enumerate_cuts(the_smallest, seed=SEED, budget=200, damages=POWER, stop_at=1).violations
        python, *module, name, seed, cut = shlex.split(violation.replay)
        assert (python, module, name, seed) == ("python", ["-m", "tests.crash.power"], "one step", str(SEED))
        # Each run is recorded anew, and which of its threads writes first is not up to the seed: what was found in
        # a run of a rare order is mostly not there in others.
        if any(power.main(name, seed, cut) == 1 for _ in range(5)):
            break
    else:
        pytest.fail("no violation was seen again")
    invariant = violation.problems[0].split()[2]  # of "life 1: A4 ..."
    assert f": {invariant} " in capsys.readouterr().out
    monkeypatch.undo()
    assert power.main(name, seed, cut) == 0
