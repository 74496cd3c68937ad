"""Random plans under virtual time: what the tests of messages and of events share."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck
from hypothesis import strategies as st

from litewf.testing.clock import START_US
from litewf.testing.places import workplace
from litewf.world import EPOCH
from tests.crash.explorer import Drive, Scenario, Trial
from tests.crash.life import Life

SECOND_US = 1_000_000
CRASHES = st.lists(st.integers(8, 60), max_size=3)  # points, in one life after the other
UNHURRIED: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    "derandomize": True,
    "database": None,
}


def in_us(seconds: int, place: int) -> int:
    """A duration such that nothing ever ends at a full second, when something happens, whatever came before it."""
    return seconds * SECOND_US + (1 << place if seconds else 0)


def duration(seconds: int, place: int) -> timedelta:
    return timedelta(microseconds=in_us(seconds, place))


def moment(second: int) -> datetime:
    """A full second of the plan."""
    return EPOCH + timedelta(microseconds=START_US + second * SECOND_US)


def play(build: Callable[[Life], Drive], linger: float | None, crashes: list[int]) -> None:
    """Play a plan, dying at a point of one life after the other; the time stands still between them."""
    with workplace() as folder:
        trial = Trial(Scenario("plan", build, linger=linger, downtime_s=(0.0,)), folder / "flows.db")
        for point in [*crashes, None]:
            if not trial.live(point):
                break
        trial.check()
