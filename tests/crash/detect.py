"""Looks for one bug with one detector, in a process of its own, and says how long it took: `python -m tests.crash.detect`.

The last line of its output is JSON: whether anything went wrong, what it was, and after how many cycles: deaths and
recoveries, or rules of the machine, or images of a disk.
"""

import json
import logging
import sys
import threading
from dataclasses import asdict, dataclass

from litewf.testing import VirtualClock

PATIENCE_S = 8.0  # for an engine that never comes to rest
ROUNDS = 4  # of a scenario: threads are not repeatable
MINUTES = 2.0  # for the machine
LONGEST = 300  # characters of what went wrong


@dataclass
class Finding:
    """What a detector came to."""

    caught: bool
    cycles: int
    what: str = ""


def main() -> None:
    logging.disable(logging.CRITICAL)
    threading.excepthook = lambda args: None  # threads of engines that are broken on purpose
    VirtualClock.__init__.__kwdefaults__["patience"] = PATIENCE_S
    kind, _, rest = sys.argv[1].partition(" ")
    finding = {"crash": _crash, "machine": _machine, "power": _power}[kind](rest)
    finding.what = finding.what[:LONGEST]
    print(json.dumps(asdict(finding)), flush=True)
    _leave()


def _crash(name: str) -> Finding:
    """Die at each crash point of one scenario, and at one point of each recovery."""
    from tests.crash.explorer import Tally, derived, explore
    from tests.crash.scenarios import SCENARIOS

    [scenario] = [one for one in SCENARIOS if one.name == name]
    tally = Tally()
    try:
        for _ in range(ROUNDS):
            explore(scenario, second_deaths=derived, tally=tally)
    except Exception as error:
        return Finding(True, tally.cycles + 1, _line(error))
    return Finding(False, tally.cycles)


def _power(name: str) -> Finding:
    """Cut the power at many moments of one scenario, with all that a disk may do then."""
    from litewf.testing.disk import POWER
    from tests.crash.power import enumerate_cuts
    from tests.crash.scenarios import SCENARIOS

    [scenario] = [one for one in SCENARIOS if one.name == name]
    found = enumerate_cuts(scenario, seed=1, budget=2000, damages=POWER, stop_at=1)
    if found.violations:
        return Finding(True, found.cycles.total(), "; ".join(found.violations[0].problems))
    return Finding(False, found.cycles.total())


def _machine(_: str) -> Finding:
    """The recorded examples first, then new ones."""
    from tests.machine.running import fails, recorded_examples, run

    rules = 0
    for story in recorded_examples().values():
        rules += len(story)
        if what := fails(story):
            return Finding(True, rules, what)
    counts = run(1, minutes=MINUTES, shorten=False)
    rules += counts.steps
    return Finding(True, rules, counts.failures[0].what) if counts.failures else Finding(False, rules)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[-1] if str(error).strip() else ''}"


def _leave() -> None:
    """At once: what is broken may never end its threads."""
    import os

    os._exit(0)


if __name__ == "__main__":
    main()
