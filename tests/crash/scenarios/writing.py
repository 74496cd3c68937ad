"""How a scenario is written: it builds workflows on a `Life` and returns what happens from outside.

That may be repeated from the start after each death, so every act of it is idempotent or asked of the ledger first.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import litewf
from tests.crash.explorer import Drive, Scenario
from tests.crash.life import Life

DAY_S = 86_400.0
SCENARIOS: list[Scenario] = []


def scenario(**options: Any) -> Callable[[Callable[[Life], Drive]], Callable[[Life], Drive]]:
    """Add to the library under a readable name."""

    def add(build: Callable[[Life], Drive]) -> Callable[[Life], Drive]:
        SCENARIOS.append(Scenario(build.__name__, build, **options))
        return build

    return add


def driven(life: Life, workflow: Any, *args: Any, expect: Any = None) -> Drive:
    """Start one workflow, let it run to its end, look at the result."""

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(workflow, "w", *args)
        life.settle()
        result = handle.get_result(timeout=0)
        assert expect is None or result == expect, f"{result!r}, not {expect!r}"

    return drive


def slept(life: Life, began: Any, duration_s: float) -> None:
    """H4: a sleep ends at its time: not early, and late only by the time that nobody was there."""
    life.ledger.acknowledge(f"slept since {began}", lambda: _check_sleep(life, began, duration_s))


def _check_sleep(life: Life, began: Any, duration_s: float) -> None:
    end_us = life.clock.now_us()
    due = began + timedelta(seconds=duration_s)
    late_s = end_us / 1_000_000 - due.timestamp()
    if late_s < -0.001:
        life.ledger.fail(f"H4 a sleep of {duration_s} s ended {-late_s} s early")
    allowed_s = 1.0 + 3600.0 * life.ledger.life
    if late_s > allowed_s:
        life.ledger.fail(f"H4 a sleep of {duration_s} s ended {late_s} s late")
