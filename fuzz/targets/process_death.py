"""An engine dies at a random commit, again while it recovers, and perhaps once more; then it keeps every promise."""

from __future__ import annotations

from fuzz.case import Case
from tests.crash.explorer import Trial
from tests.crash.scenarios import SCENARIOS

LATEST = 90  # commit of a life at which it ends; one that has fewer ends unharmed
DEATHS = 4


def run(case: Case) -> None:
    """One file and the engines that lived on it."""
    chance = case.chance
    scenario = chance.choice(SCENARIOS)
    trial = Trial(scenario, case.folder / "flows.db")
    deaths = 0
    for _ in range(chance.randint(1, DEATHS)):
        if not trial.live(int(chance.triangular(1, LATEST, 1))):
            break
        deaths += 1
    else:
        trial.live(None)
    trial.check()
    for number in range(1, deaths + 1):
        case.met(f"death number {number} of one file", f"scenario {scenario.name}")
