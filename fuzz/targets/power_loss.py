"""The power, or only the process, is cut at random moments of a recorded run; engines recover from what the disk holds.

Each cut goes through a whole engine, which runs everything to its end and keeps every promise of `tests.crash.ledger`.
"""

from __future__ import annotations

from fuzz.case import Case
from tests.crash.power import enumerate_cuts
from tests.crash.scenarios import SCENARIOS

CUTS = 40  # of one recorded run


def run(case: Case) -> None:
    """One scenario, and some of its cuts."""
    scenario = case.chance.choice(SCENARIOS)
    explored = enumerate_cuts(scenario, seed=case.chance.randrange(1 << 32), budget=CUTS, stop_at=1)
    for damage, times in explored.cycles.items():
        for _ in range(times):
            case.met(damage)
    assert not explored.violations, "\n".join(map(str, explored.violations))
