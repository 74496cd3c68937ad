"""The test kit: virtual time, engines that die where a test wants them to, and what a test wants to know of them.

    from litewf.testing import VirtualClock, MortalEngine

`import litewf` does not load it. As a pytest plugin it gives the fixtures `engine` and `clock`.
"""

from litewf.testing.clock import START, VirtualClock
from litewf.testing.mortal import MortalEngine, SimulatedDeath

__all__ = ["START", "MortalEngine", "SimulatedDeath", "VirtualClock"]
