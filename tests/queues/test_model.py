"""Whatever is done to queues, in whatever order, the engine does what a plain model of them says."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import litewf
from litewf.testing import strategies as wf
from litewf.testing.places import MEMORY
from tests.queues.lab import Lab
from tests.queues.model import LAST, Job, Limits, Model

pytestmark = pytest.mark.usefixtures("silent_logs")
QUEUES = ("a", "b")
SCRIPTS = ["h", "hh", "", "hx", "s", "hs", "sh", "r", "hrh", "c", "hch", "cc"]
PERIOD_S = 30

limit = wf.limits()
queue = st.sampled_from(QUEUES)
which = st.integers(0, 99)
options = st.fixed_dictionaries({}, optional={
    "priority": st.integers(1, 3),
    "partition_key": st.sampled_from(["x", "y"]),
    "deduplication_id": st.sampled_from(["d", "e"]),
    "delay": st.sampled_from([0, 5, 20]),
})  # fmt: skip
CHANGES = ["global_concurrency", "worker_concurrency", "partition_concurrency"]
DETAILS = {
    "enqueue": (queue, st.sampled_from(SCRIPTS), options),
    "release": (which,), "send": (which,), "cancel": (which,), "resume": (which,),
    "advance": (st.sampled_from([1, 7, 31]),),
    "pause": (queue,), "unpause": (queue,),
    "crash": (),
    "change": (queue, st.sampled_from(CHANGES), limit),
}  # fmt: skip
OFTEN = {"enqueue": 8, "release": 8, "advance": 2, "change": 2}


@st.composite
def act(draw: st.DrawFn) -> tuple[Any, ...]:
    name = draw(st.sampled_from([name for name in DETAILS for _ in range(OFTEN.get(name, 1))]))
    return (name, *(draw(detail) for detail in DETAILS[name]))


def scripts(least: int, most: int) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    return st.lists(act(), min_size=least, max_size=most)


limits = st.fixed_dictionaries({
    "global_concurrency": limit,
    "worker_concurrency": limit,
    "partition_concurrency": limit,
    "max_tasks_per_iteration": st.sampled_from([None, 1]),
    "rate": st.sampled_from([None, None, 1, 3]),
})  # fmt: skip


class Both:
    """The engine and the model, side by side."""

    def __init__(self, path: Path, wanted: dict[str, dict[str, Any]]) -> None:
        self.lab = Lab(path)
        self.lab.priority_of_children = LAST
        self.model = Model({name: self._create(name, **limits) for name, limits in wanted.items()})

    def _create(self, name: str, rate: int | None, **wanted: int | None) -> Limits:
        rate_limit = None if rate is None else litewf.RateLimit(rate, PERIOD_S)
        self.lab.engine.create_queue(name, rate_limit=rate_limit, priority_enabled=True, **wanted)
        del wanted["max_tasks_per_iteration"]
        return Limits(**wanted, rate=None if rate is None else (rate, PERIOD_S * 1_000_000))

    def do(self, act: tuple[Any, ...]) -> None:
        name, *details = act
        if name in ("release", "send", "cancel", "resume"):
            found = sorted(self._candidates(name), key=lambda job: job.key)
            if found:
                job = found[details[0] % len(found)]
                getattr(self, f"_{name}")(job)
                getattr(self.model, name)(job)
        else:
            getattr(self, f"_{name}")(*details)

    def _candidates(self, name: str) -> list[Job]:
        jobs = self.model.jobs
        if name == "release":
            return [jobs[one] for one in self.model.running]
        if name == "resume":
            return [job for job in jobs.values() if job.status not in ("SUCCESS", "ERROR")]
        return list(jobs.values())

    def _enqueue(self, queue: str, script: str, options: dict[str, Any]) -> None:
        wanted = dict(options)
        taken = "deduplication_id" in wanted and self.model.holder(queue, wanted["deduplication_id"])
        if taken:
            with pytest.raises(litewf.DuplicateWorkflowError):
                self.lab.enqueue(queue, script, **wanted)
            found = self.lab.enqueue(queue, script, **wanted, on_duplicate="return_existing")
            assert found.workflow_id == taken.id
            return
        handle = self.lab.enqueue(queue, script, **wanted)
        delay = wanted.get("delay")
        job = Job(
            handle.workflow_id, 0, queue, script, wanted.get("priority", 0), wanted.get("partition_key"),
            wanted.get("deduplication_id"), self.model.now_us + delay * 1_000_000 if delay else None,
        )  # fmt: skip
        self.model.enqueue(job)

    def _release(self, job: Job) -> None:
        self.lab.release(job.id)

    def _send(self, job: Job) -> None:
        self.lab.engine.send(job.id, "a message")
        self.lab.rest()

    def _cancel(self, job: Job) -> None:
        self.lab.engine.cancel_workflow(job.id)
        self.lab.rest()

    def _resume(self, job: Job) -> None:
        self.lab.engine.resume_workflow(job.id)
        self.lab.rest()

    def _advance(self, seconds: int) -> None:
        self.lab.rest(seconds)
        self.model.advance(seconds * 1_000_000)

    def _pause(self, queue: str) -> None:
        self.lab.engine.pause_queue(queue)
        self.model.change(queue, paused=True)

    def _unpause(self, queue: str) -> None:
        self.lab.engine.resume_queue(queue)
        self.lab.rest()
        self.model.change(queue, paused=False)

    def _change(self, queue: str, name: str, value: int | None) -> None:
        self.lab.engine.update_queue(queue, **{name: value})
        self.lab.rest()
        self.model.change(queue, **{name: value})

    def _crash(self) -> None:
        self.lab.crash()
        self.model.crash()

    def agree(self) -> None:
        assert {one.workflow_id: one.status for one in self.lab.engine.list_workflows()} == self.model.statuses()
        assert self.lab.running == self.model.running
        assert self.lab.slots() == self.model.slots()

    def end(self) -> None:
        """Lift all limits and let everything end: nothing is stranded, and no slot is held."""
        for name in self.model.queues:
            self._unpause(name)
        for _ in range(1000):
            for job in list(self.model.jobs.values()):
                if self.model.queues and job.place == "parked" and job.act == "r":
                    self.do(("send", sorted(self.model.jobs.values(), key=lambda one: one.key).index(job)))
            if self.model.running:
                self.do(("release", 0))
            elif any(status in ("ENQUEUED", "DELAYED", "PENDING") for status in self.model.statuses().values()):
                self._advance(31)
            else:
                break
            self.agree()
        assert set(self.model.statuses().values()) <= {"SUCCESS", "ERROR", "CANCELLED"}
        assert self.lab.slots() == set()


def check(wanted: dict[str, dict[str, Any]], script: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        both = Both(Path(folder) / "flows.db", wanted)
        try:
            for act in script:
                both.do(act)
                both.agree()
            both.end()
        finally:
            both.lab.close()


two_queues = st.fixed_dictionaries(dict.fromkeys(QUEUES, limits))
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(two_queues, scripts(15, 30))
def test_queues_do_what_the_model_says(wanted: dict[str, dict[str, Any]], script: list[tuple[Any, ...]]) -> None:
    check(wanted, script)


@pytest.mark.nightly
@settings(QUICK, max_examples=3000)
@given(two_queues, scripts(30, 80))
def test_queues_do_what_the_model_says_for_long(
    wanted: dict[str, dict[str, Any]], script: list[tuple[Any, ...]]
) -> None:
    check(wanted, script)
