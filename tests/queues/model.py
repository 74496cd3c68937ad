"""Queues in plain Python: what must be true of them when the engine has come to rest.

The model knows limits, order and slots, and nothing of transactions, wake-ups or threads. It takes the same acts as the
engine, one at a time; then both must agree on whose bodies run, who holds a slot, and the status of every job.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

NAP_US = 10_000_000
LAST = (
    2**31 - 1
)  # the priority of children, who come while others start: they are behind all of them, come when they may
ENDED = ("SUCCESS", "ERROR", "CANCELLED")


@dataclass
class Limits:
    """Of one queue; None: no limit."""

    global_concurrency: int | None = None
    worker_concurrency: int | None = None
    partition_concurrency: int | None = None
    rate: tuple[int, int] | None = None  # starts, period in microseconds
    paused: bool = False
    starts: list[int] = field(default_factory=list)


@dataclass
class Job:
    """One workflow."""

    id: str
    key: int
    queue: str | None  # None once it has left it
    script: str
    priority: int = 0
    partition: str | None = None
    deduplication_id: str | None = None
    due_us: int | None = None
    parent: "Job | None" = None
    at: int = 0  # the act that it has come to
    status: str = "ENQUEUED"
    place: str = "waiting"  # delayed, waiting, running, parked, ready, off: ended or cancelled
    slot: bool = False
    stray: str | None = None  # the queue of a body that outlives its execution
    wakes_us: int | None = None
    unread: int = 0
    recorded: bool = False  # whether the body at `at` ended while nobody could go on
    child: "Job | None" = None
    cancelled_by: "Job | None" = None
    script_queue: str = ""  # on which it was put, also after it has left it

    def __post_init__(self) -> None:
        self.script_queue = self.script_queue or self.queue or ""

    @property
    def holds_id(self) -> bool:
        return self.queue is not None and self.status not in ENDED

    @property
    def act(self) -> str:
        return self.script[self.at] if self.at < len(self.script) else ""


class Model:
    """All queues and jobs."""

    def __init__(self, queues: dict[str, Limits]) -> None:
        self.queues = queues
        self.jobs: dict[str, Job] = {}
        self.now_us = 0

    # --- what can be seen -------------------------------------------------------------------------------------

    @property
    def running(self) -> set[str]:
        return {job.id for job in self.jobs.values() if job.stray is not None or self._has_body(job)}

    def _has_body(self, job: Job) -> bool:
        return job.place == "running" and job.act == "h"

    def slots(self) -> set[str]:
        return {job.id for job in self.jobs.values() if job.slot}

    def statuses(self) -> dict[str, str]:
        return {job.id: job.status for job in self.jobs.values()}

    # --- acts -------------------------------------------------------------------------------------------------

    def holder(self, queue: str, deduplication_id: str) -> Job | None:
        found = (job for job in self.jobs.values() if job.queue == queue and job.deduplication_id == deduplication_id)
        return next((job for job in found if job.holds_id), None)

    def enqueue(self, job: Job) -> None:
        job.key = len(self.jobs)
        self.jobs[job.id] = job
        if job.due_us is not None:
            job.status, job.place = "DELAYED", "delayed"
        self.dispatch()

    def release(self, job: Job) -> None:
        """The body of a job ends."""
        if job.stray is not None:  # nobody waits for it but its slot
            job.stray, job.slot, job.recorded = None, False, True
            if job.place == "ready":  # resumed meanwhile
                self._run(job)
        else:
            job.at += 1
            self._go_on(job)
        self.dispatch()

    def send(self, job: Job) -> None:
        job.unread += 1
        if job.place == "parked" and job.act == "r":
            job.place = "ready"
        self.dispatch()

    def cancel(self, job: Job, by: Job | None = None) -> None:
        if job.status in ENDED:
            return
        by = by or job
        for child in list(self.jobs.values()):
            if child.parent is job:
                self.cancel(child, by)
        if self._has_body(job):
            job.stray = job.queue or "none"
        elif job.stray is None:
            job.slot = False
        job.status, job.place, job.cancelled_by = "CANCELLED", "off", by
        self._tell_parent(job)
        if by is job:
            self.dispatch()

    def resume(self, job: Job) -> None:
        """Outside of its queue, with the children that the same cancel stopped."""
        if job.status == "PENDING":
            return
        by, job.cancelled_by = job.cancelled_by, None
        job.queue, job.status, job.due_us, job.place = None, "PENDING", None, "ready"  # with its children, then all run
        for child in list(self.jobs.values()):
            if by is not None and child.parent is job and child.cancelled_by is by:
                self.resume(child)
        self.dispatch()

    def crash(self) -> None:
        for job in self.jobs.values():
            if job.stray is not None:
                job.stray, job.slot = None, False
                if job.place == "ready":
                    self._run(job)
            elif job.place == "running":
                job.place = "ready"
        self.dispatch()

    def change(self, queue: str, **limits: int | bool | None) -> None:
        for name, value in limits.items():
            setattr(self.queues[queue], name, value)
        self.dispatch()

    def advance(self, us: int) -> None:
        """Let time pass, from one thing that is due to the next."""
        until_us = self.now_us + us
        while (due_us := self._next_due_us()) is not None and due_us <= until_us:
            self.now_us = max(due_us, self.now_us)
            self._wake()
            self.dispatch()
        self.now_us = until_us

    def _next_due_us(self) -> int | None:
        times = [job.due_us for job in self.jobs.values() if job.place == "delayed" and job.due_us is not None]
        times += [job.wakes_us for job in self.jobs.values() if job.place == "parked" and job.wakes_us is not None]
        times += [time_us for name in self.queues if (time_us := self._next_start_us(name)) is not None]
        return min(times, default=None)

    def _next_start_us(self, name: str) -> int | None:
        rate, starts = self.queues[name].rate, self.queues[name].starts
        if rate is None or len(starts) < rate[0]:
            return None
        next_us = starts[-rate[0]] + rate[1]
        return next_us if next_us > self.now_us else None

    def _wake(self) -> None:
        for job in self.jobs.values():
            if job.place == "delayed" and job.due_us is not None and job.due_us <= self.now_us:
                job.status, job.place, job.due_us = "ENQUEUED", "waiting", None
            if job.place == "parked" and job.wakes_us is not None and job.wakes_us <= self.now_us:
                job.place, job.wakes_us = "ready", None
                job.at += 1

    # --- running ----------------------------------------------------------------------------------------------

    def _run(self, job: Job) -> None:
        """It is in memory, and goes on from its act."""
        job.status, job.place = "PENDING", "running"
        self._go_on(job)

    def _go_on(self, job: Job) -> None:
        while job.act == "h" and job.recorded:
            job.recorded, job.at = False, job.at + 1
        if job.act == "h":
            return
        if job.act == "s":
            if job.wakes_us is None:
                job.wakes_us = self.now_us + NAP_US
            if job.wakes_us > self.now_us:
                job.place = "parked"
            else:  # it was resumed, and the time that it slept until has passed
                job.wakes_us = None
                job.at += 1
                self._go_on(job)
        elif job.act == "r":
            if job.unread:
                job.unread -= 1
                job.at += 1
                self._go_on(job)
            else:
                job.place = "parked"
        elif job.act == "c":
            self._wait_for_child(job)
        else:
            job.status, job.place, job.slot = "ERROR" if job.act == "x" else "SUCCESS", "off", False
            self._tell_parent(job)

    def _wait_for_child(self, job: Job) -> None:
        if job.child is None:
            number = sum(2 if act == "c" else 1 for act in job.script[: job.at]) + 1
            queue = job.script_queue
            job.child = Job(f"{job.id}~{number}", len(self.jobs), queue, "h", LAST, partition=job.partition, parent=job)
            self.jobs[job.child.id] = job.child
        if job.child.status in ENDED:
            job.child = None
            job.at += 1
            self._go_on(job)
        else:
            job.place = "parked"
            if job.queue is not None:
                job.slot = False

    def _tell_parent(self, job: Job) -> None:
        parent = job.parent
        if parent is not None and parent.place == "parked" and parent.child is job:
            parent.place = "ready"

    # --- the limits -------------------------------------------------------------------------------------------

    def dispatch(self) -> None:
        """Let everything run that may."""
        while self._off_queue() or any(self._from_queue(name, limits) for name, limits in self.queues.items()):
            pass

    def _off_queue(self) -> bool:
        found = [job for job in self.jobs.values() if job.place == "ready" and job.queue is None and job.stray is None]
        for job in found:
            self._run(job)
        return bool(found)

    def _from_queue(self, name: str, limits: Limits) -> bool:
        """Let one go on or start, if there is one that may."""
        in_memory = sum(self._in_memory(job, name) for job in self.jobs.values())
        if limits.worker_concurrency is not None and in_memory >= limits.worker_concurrency:
            return False
        mine = sorted((job for job in self.jobs.values() if job.queue == name), key=lambda job: job.key)
        ready = [job for job in mine if job.place == "ready"]
        if found := next((job for job in ready if job.slot), None):
            self._run(found)
            return True
        if self._full(limits.global_concurrency, lambda job: self._counts(job, name)):
            return False
        if found := next((job for job in ready if self._has_room(job, name)), None):
            found.slot = True
            self._run(found)
            return True
        return self._start(name, limits, mine)

    def _start(self, name: str, limits: Limits, mine: list[Job]) -> bool:
        if limits.paused or self._next_start_us(name) is not None:
            return False
        waiting = sorted((job for job in mine if job.place == "waiting"), key=lambda job: (job.priority, job.key))
        found = next((job for job in waiting if self._has_room(job, name)), None)
        if found is None:
            return False
        found.slot = True
        limits.starts.append(self.now_us)
        self._run(found)
        return True

    def _in_memory(self, job: Job, queue: str) -> bool:
        return job.stray == queue or (job.queue == queue and job.place == "running")

    def _counts(self, job: Job, queue: str) -> bool:
        return job.slot and job.script_queue == queue

    def _has_room(self, job: Job, queue: str) -> bool:
        limit = self.queues[queue].partition_concurrency
        return job.partition is None or not self._full(
            limit, lambda other: self._counts(other, queue) and other.partition == job.partition
        )

    def _full(self, limit: int | None, counts: Callable[[Job], bool]) -> bool:
        return limit is not None and sum(counts(job) for job in self.jobs.values()) >= limit
