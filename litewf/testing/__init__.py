"""The test kit: virtual time, engines that die where a test wants them to, and what a test wants to know of them.

    from litewf.testing import VirtualClock, MortalEngine, crash_everywhere, CrashMachine
    from litewf.testing import strategies

`import litewf` does not load it. As a pytest plugin it gives the fixtures `engine` and `clock`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from litewf.testing.asking import assert_started, assert_waiting, drain
    from litewf.testing.clock import START, VirtualClock
    from litewf.testing.effects import Fake
    from litewf.testing.everywhere import crash_everywhere
    from litewf.testing.machine import UNKNOWN, CrashMachine
    from litewf.testing.mortal import MortalEngine, SimulatedDeath
    from litewf.testing.outside import OutsideWorld
    from litewf.testing.powerloss import PowerLossReport, power_loss_everywhere
    from litewf.testing.replay import assert_replays
    from litewf.testing.report import CrashReport, CrashTestFailure

HOME = {
    "START": "clock",
    "UNKNOWN": "machine",
    "CrashMachine": "machine",
    "CrashReport": "report",
    "CrashTestFailure": "report",
    "Fake": "effects",
    "MortalEngine": "mortal",
    "OutsideWorld": "outside",
    "PowerLossReport": "powerloss",
    "SimulatedDeath": "mortal",
    "VirtualClock": "clock",
    "assert_replays": "replay",
    "assert_started": "asking",
    "assert_waiting": "asking",
    "crash_everywhere": "everywhere",
    "drain": "asking",
    "power_loss_everywhere": "powerloss",
}  # each is loaded when it is asked for: pytest loads this package in every run

__all__ = [
    "START",
    "UNKNOWN",
    "CrashMachine",
    "CrashReport",
    "CrashTestFailure",
    "Fake",
    "MortalEngine",
    "OutsideWorld",
    "PowerLossReport",
    "SimulatedDeath",
    "VirtualClock",
    "assert_replays",
    "assert_started",
    "assert_waiting",
    "crash_everywhere",
    "drain",
    "power_loss_everywhere",
]


def __getattr__(name: str) -> object:
    if name not in HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOME[name]}"), name)
