"""The state machine of the whole engine against its model: several processes, clock jumps, deaths, and all that users do.

Threads are not repeatable, so a failure prints its story as well: the rules, one after the other.
"""

from __future__ import annotations

from fuzz.case import Case
from tests.machine.running import run as play

MACHINES = 3


def run(case: Case) -> None:
    """A few machines."""
    counts = play(case.chance.randrange(1 << 32), examples=MACHINES, shorten=False)
    for failure in counts.failures:
        raise AssertionError(str(failure))
    for kinds, found in (("rule", counts.rules), ("death at", counts.deaths_at)):
        for name, times in found.items():
            case.kinds[f"{kinds} {name}"] += times
    case.cycles += counts.deaths
