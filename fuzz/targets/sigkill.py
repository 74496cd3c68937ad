"""A real process is killed with SIGKILL at random moments, round after round; nothing is lost, nothing runs again.

The moments are real time: a case that fails may need some tries to fail again.
"""

from __future__ import annotations

from fuzz.case import Case
from tests.crash.killing import Victim, kill_often

ROUNDS = 12
LATEST_S = 0.02  # in a round: files in memory leave it little to do


def run(case: Case) -> None:
    """One victim."""
    victim = Victim(case.folder)
    try:
        killed = kill_often(victim, case.folder, ROUNDS, case.chance.randrange(1 << 32), LATEST_S)
    finally:
        victim.close()
    for _ in range(killed):
        case.met("SIGKILL while it worked")
