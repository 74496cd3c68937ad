"""G3: in no window of the period does a queue start more than its rate limit allows."""

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import litewf
from litewf.testing.places import MEMORY
from tests.queues.lab import Lab

pytestmark = pytest.mark.usefixtures("silent_logs")
S = 1_000_000
acts = st.one_of(
    st.tuples(st.just("enqueue"), st.integers(1, 6)),
    st.tuples(st.just("wait"), st.sampled_from([1, 4, 9, 21])),
    st.tuples(st.just("set back"), st.sampled_from([1, 30, 3600])),
    st.tuples(st.just("crash")),
    st.tuples(st.just("change"), st.integers(1, 4), st.sampled_from([5, 10, 20])),
)


class Rated:
    """A queue with a rate limit, and real time beside a clock that is set back now and then."""

    def __init__(self, lab: Lab, limit: int, period_s: int) -> None:
        self.lab = lab
        self.set_back_us = 0
        self.rate = (limit, period_s * S)
        self.starts: list[tuple[int, tuple[int, int]]] = []  # when in real time, under which limit
        self.wanted = 0
        lab.engine.create_queue("q", rate_limit=litewf.RateLimit(limit, period_s))

    def do(self, act: tuple[Any, ...]) -> None:
        name, *details = act
        if name == "enqueue":
            self.wanted += details[0]
            self.lab.engine.enqueue_many("q", [(self.lab.job, "", "q")] * details[0])
            self.lab.rest()
        elif name == "wait":
            self.lab.rest(details[0])
        elif name == "set back":
            self.lab.clock.move(-details[0])
            self.set_back_us += details[0] * S
            self.lab.rest()
        elif name == "crash":
            self.lab.crash()
        else:
            self.lab.engine.update_queue("q", rate_limit=litewf.RateLimit(*details))  # what starts from now on heeds it
            self.rate = (details[0], details[1] * S)
            self.lab.rest()
        self.note()

    def note(self) -> None:
        self.starts += [(time_us + self.set_back_us, self.rate) for _, time_us in self.lab.ran]
        self.lab.ran.clear()

    def check(self) -> None:
        for at, (time_us, (limit, period_us)) in enumerate(self.starts):
            within = [other for other, _ in self.starts[: at + 1] if other > time_us - period_us]
            assert len(within) <= limit, f"{len(within)} starts within {period_us / S} s before {time_us}"


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1, 4), st.sampled_from([5, 10, 20]), st.lists(acts, min_size=6, max_size=25))
def test_no_window_sees_more_starts_than_the_limit(limit: int, period_s: int, script: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        lab = Lab(Path(folder) / "flows.db")
        try:
            rated = Rated(lab, limit, period_s)
            for act in script:
                rated.do(act)
            for _ in range(rated.wanted):
                rated.do(("wait", 21))
            rated.check()
            assert len(rated.starts) == rated.wanted, (
                "a clock that was set back holds nothing up for longer than a period"
            )
        finally:
            lab.close()


def starts_of(lab: Lab) -> list[int]:
    return [time_us for _, time_us in lab.ran]


def test_starts_are_as_early_as_the_window_allows(lab: Lab) -> None:
    lab.engine.create_queue("q", rate_limit=litewf.RateLimit(2, 10))
    begin = lab.clock.now_us()
    lab.engine.enqueue_many("q", [(lab.job, "", "q")] * 2)
    lab.rest(4)
    lab.engine.enqueue_many("q", [(lab.job, "", "q")] * 4)
    lab.rest_for_ever()
    assert [(time_us - begin) / S for time_us in starts_of(lab)] == [0, 0, 10, 10, 20, 20]


def test_a_raised_limit_counts_at_once_and_a_longer_period_counts_what_came_before(lab: Lab) -> None:
    lab.engine.create_queue("q", rate_limit=litewf.RateLimit(1, 10))
    lab.engine.enqueue_many("q", [(lab.job, "", "q")] * 6)
    lab.rest(15)
    assert len(lab.ran) == 2
    lab.engine.update_queue("q", rate_limit=litewf.RateLimit(3, 10))
    lab.rest()
    assert len(lab.ran) == 4
    lab.engine.update_queue("q", rate_limit=litewf.RateLimit(4, 600))
    lab.rest(500)
    assert len(lab.ran) == 4
    lab.rest(100)
    assert len(lab.ran) == 6


def test_a_clock_set_forward_allows_no_more_than_one_window(lab: Lab) -> None:
    lab.engine.create_queue("q", rate_limit=litewf.RateLimit(2, 10))
    lab.engine.enqueue_many("q", [(lab.job, "", "q")] * 9)
    lab.rest()
    lab.clock.move(3600)
    lab.rest()
    assert len(lab.ran) == 4


def test_waking_and_recovery_are_no_starts(lab: Lab) -> None:
    lab.engine.create_queue("q", rate_limit=litewf.RateLimit(1, 3600))
    job = lab.enqueue("q", "hsh")
    lab.crash()
    lab.release(job.workflow_id)
    lab.rest(10)
    assert lab.running == {job.workflow_id}


def test_a_waiting_queue_keeps_one_alarm(lab: Lab) -> None:
    lab.engine.create_queue("q", rate_limit=litewf.RateLimit(1, 3600))
    for _ in range(30):
        lab.enqueue("q", "")
    assert lab.engine._live is not None
    assert len(lab.engine._live.dispatcher._rates) == 1
    assert sum(alarm[2] is not None for alarm in lab.engine._live.alarms._heap) == 1


def test_the_cost_of_a_look_does_not_grow_with_the_limit(lab: Lab) -> None:
    lab.engine.create_queue("q", rate_limit=litewf.RateLimit(5000, 3600))
    lab.engine.enqueue_many("q", [(lab.job, "", "q")] * 200)
    lab.rest()
    times = starts_of(lab)
    assert len(times) == 200
    assert all(later >= earlier for earlier, later in pairwise(times))


def test_a_limit_that_was_lowered_and_raised_again_knows_all_starts(lab: Lab) -> None:
    lab.engine.create_queue("q", rate_limit=litewf.RateLimit(3, 10))
    lab.engine.enqueue_many("q", [(lab.job, "", "q")] * 9)
    lab.rest()
    for limit in (1, 2, 3):
        lab.engine.update_queue("q", rate_limit=litewf.RateLimit(limit, 10))
        lab.rest(1)
    assert len(lab.ran) == 3
