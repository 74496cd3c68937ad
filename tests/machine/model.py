"""All of litewf in plain Python: what must be true when every engine has come to rest.

It knows no transactions, threads, wake-ups or processes. Something happens from outside, or time passes; then everything
goes on that can, and what can be seen afterwards is the same whatever died on the way. Limits, order and slots are
those of the model of queues, which this one extends.
"""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from tests.machine.calendar import SECOND_US, CloudEvent, Schedule
from tests.machine.flows import NEVER_US, Act, Failed, Flow, Message, Shown
from tests.queues.model import LAST, Job, Limits, Model

RETRIES = 2
RETRY_US = 3 * SECOND_US
TIMED_OUT = "timed out"
PEERS = "peers"  # the topic on which workflows send to each other
SIGN = "sign"


class World(Model):
    """What is in one file."""

    jobs: dict[str, Flow]  # type: ignore[assignment]  # narrower

    def __init__(self, queues: dict[str, Limits], now_us: int, *, parks: bool = True) -> None:
        super().__init__(queues)
        self.now_us = now_us
        self.parks = parks  # else every wait stays in memory, with its slots
        self.schedules: dict[str, Schedule] = {}
        self.cloud_events: list[CloudEvent] = []
        self.tally: Counter[str] = Counter()
        self.put_on: Counter[tuple[str, int]] = (
            Counter()
        )  # children that went to a queue at one moment, since it agreed

    # --- what can be seen ---------------------------------------------------------------------------------------

    def seen(self) -> dict[str, dict[str, Any]]:
        """Of each workflow."""
        return {
            flow.id: {
                "status": flow.status,
                "generation": flow.generation,
                "result": flow.result if flow.status == "SUCCESS" else None,
                "unread": flow.unread_messages(),
                "events": flow.shown_events(),
                "streams": flow.shown_streams(),
                "slot": flow.slot,
                "running": flow.id in running,
                "tally": self.tally[flow.id],
            }
            for running in [self.running]
            for flow in self.jobs.values()
        }

    def seen_schedules(self) -> dict[str, tuple[bool, int, int | None]]:
        return {name: (one.paused, one.next_us, one.last_us) for name, one in self.schedules.items()}

    @property
    def is_open(self) -> bool:
        """Whether workflows that run at once have put children on one queue: whose is the first is nobody's promise."""
        return any(count > 1 for count in self.put_on.values())

    # --- from outside -------------------------------------------------------------------------------------------

    def start(self, flow: Flow) -> None:
        """Start or enqueue; an id that is there already changes nothing."""
        if flow.id in self.jobs:
            return
        flow.created_us = self.now_us
        self._born(flow, flow.timeout_us if flow.queue is None else None)
        self.enqueue(flow)

    def _born(self, flow: Flow, timeout_us: int | None) -> None:
        if timeout_us is not None:
            flow.deadline_us = min(flow.deadline_us or NEVER_US, self.now_us + timeout_us)
        if flow.queue is None:
            flow.status, flow.place = "PENDING", "ready"

    def deliver(self, flow_id: str, value: Any, topic: str | None, key: str | None = None) -> None:
        flow = self.jobs[flow_id]
        if key is not None and key in flow.message_keys:
            return
        flow.message_keys |= {key} if key is not None else set()
        flow.inbox.append(Message(topic, value))
        self.dispatch()

    def publish(self, type_: str, id_: str) -> None:
        if all(known.id != id_ for known in self.cloud_events):
            self.cloud_events.append(CloudEvent(type_, id_, self.now_us))
        self.dispatch()

    def release(self, job: Job) -> None:
        """The body of a workflow ends."""
        flow = self.jobs[job.id]
        if flow.stray is None:
            flow.settle(None)
            self._go_on(flow)
        else:
            flow.stray, flow.slot = None, False
            if flow.stray_counts:
                flow.settle(None)
        self.dispatch()

    def cancel(self, job: Job, by: Job | None = None) -> None:
        self._cancel(self.jobs[job.id], by or job)
        self.dispatch()

    def _cancel(self, flow: Flow, by: Job) -> None:
        if flow.has_ended:
            return
        if self._has_body(flow):
            flow.stray, flow.stray_counts = flow.queue or "none", True
        elif flow.stray is None:
            flow.slot = False
        flow.status, flow.place, flow.cancelled_by = "CANCELLED", "off", by
        for child in list(self.jobs.values()):
            if child.parent is flow:
                self._cancel(child, by)

    def resume(self, job: Job) -> None:
        if job.status in ("CANCELLED", "ENQUEUED", "DELAYED"):
            self._resume(self.jobs[job.id])
        self.dispatch()

    def _resume(self, flow: Flow) -> None:
        by, flow.cancelled_by = flow.cancelled_by, None
        flow.queue, flow.status, flow.due_us, flow.deadline_us, flow.place = None, "PENDING", None, None, "ready"
        for child in list(self.jobs.values()):
            if by is not None and child.parent is flow and child.cancelled_by is by:
                self._resume(child)

    def rewind(self, job: Job, start: int | None) -> None:
        """A finished one, from a step."""
        flow = self.jobs[job.id]
        start = flow.first_failed() if start is None else start
        for value in flow.records[start - 1 :]:
            child = self.jobs.get(value) if isinstance(value, str) else None
            if child is not None and child.parent is flow:
                self._cancel(child, child)
        flow.cut(start)
        flow.stray_counts = False
        flow.status, flow.place, flow.queue, flow.deadline_us, flow.cancelled_by = "PENDING", "ready", None, None, None
        flow.generation += 1
        self.dispatch()

    def fork(self, job: Job, start: int, new_id: str) -> None:
        if new_id not in self.jobs:
            forked = self.jobs[job.id].forked(new_id, start, self.now_us)
            forked.key = len(self.jobs)
            self.jobs[new_id] = forked
        self.dispatch()

    def crash(self, ids: Collection[str] | None = None) -> None:
        """The engine died in which these bodies ran."""
        for flow in self.jobs.values():
            if ids is not None and flow.id not in ids:
                continue
            if flow.stray is not None:
                flow.stray, flow.slot = None, False
            elif flow.place == "running":
                flow.place = "ready"
        self.dispatch()

    # --- time ---------------------------------------------------------------------------------------------------

    def jump(self, us: int) -> None:
        """The clock is set forward, or the machine slept."""
        self.now_us += us
        self._wake()
        self.dispatch()

    def harmless_jump(self, us: int) -> int:
        """So much of a jump that no more than one moment is missed: what comes first of several is nobody's promise."""
        until_us = self.now_us + us
        moments = sorted({max(due_us, self.now_us) for due_us in self._dues()})
        return us if len(moments) < 2 or moments[1] > until_us else moments[1] - 1 - self.now_us

    def _dues(self) -> list[int]:
        dues = [schedule.next_us for schedule in self.schedules.values() if not schedule.paused]
        for flow in self.jobs.values():
            if flow.place == "delayed" and flow.due_us is not None:
                dues.append(flow.due_us)
            if flow.place == "parked" and flow.promise_us is not None:
                dues.append(flow.promise_us)
            if not flow.has_ended and flow.deadline_us is not None:
                dues.append(flow.deadline_us)
        return [due_us for due_us in dues if due_us < NEVER_US]

    def _next_due_us(self) -> int | None:
        rates = [due_us for name in self.queues if (due_us := self._next_start_us(name)) is not None]
        return min([*self._dues(), *rates], default=None)

    def _wake(self) -> None:
        """What is due, but for waits, which `dispatch` looks at."""
        for flow in self.jobs.values():
            if flow.place == "delayed" and flow.due_us is not None and flow.due_us <= self.now_us:
                flow.status, flow.place, flow.due_us = "ENQUEUED", "waiting", None
        for name, schedule in self.schedules.items():
            if not schedule.paused and schedule.next_us <= self.now_us:
                self._tick(name, schedule)
        overdue = [flow for flow in self.jobs.values() if (flow.deadline_us or NEVER_US) <= self.now_us]
        for flow in sorted(overdue, key=lambda one: (one.deadline_us, one.key)):
            self._cancel(flow, flow)

    def _tick(self, name: str, schedule: Schedule) -> None:
        for tick_us in schedule.due(self.now_us):
            moment = datetime.fromtimestamp(tick_us // SECOND_US, UTC).isoformat().replace("+00:00", "Z")
            flow = Flow(f"{name}@{moment}", len(self.jobs), None, "", acts=(("step",),), created_us=self.now_us)
            flow.status, flow.place = "PENDING", "ready"
            self.jobs.setdefault(flow.id, flow)
            schedule.last_us = tick_us
        schedule.next_us = schedule.following(self.now_us)

    # --- running ------------------------------------------------------------------------------------------------

    def dispatch(self) -> None:
        while self._end_waits() or self._off_queue() or any(self._from_queue(*one) for one in self.queues.items()):
            pass

    def _end_waits(self) -> bool:
        over = [flow for flow in self.jobs.values() if flow.place == "parked" and self._is_over(flow)]
        for flow in over:
            flow.place = "ready"
        return bool(over)

    def _is_over(self, flow: Flow) -> bool:
        """Whether what a parked workflow waits for is there."""
        assert flow.next_act is not None
        if flow.promise_us is not None and flow.promise_us <= self.now_us:
            return True
        kind, *details = flow.next_act
        if kind == "recv":
            return any(one.taken_by is None and one.topic == details[0] for one in flow.inbox)
        if kind == "get":
            return self._sign_of(details[0]) is not None
        if kind == "await":
            return self._fitting(flow, details[0]) is not None
        return kind == "child" and self.jobs[flow.records[-1]].has_ended

    def _run(self, job: Job) -> None:
        flow = self.jobs[job.id]
        if flow.status != "PENDING" and flow.queue is not None and flow.timeout_us is not None:
            flow.deadline_us = min(flow.deadline_us or NEVER_US, self.now_us + flow.timeout_us)
        flow.status, flow.place = "PENDING", "running"
        self._go_on(flow)

    def _go_on(self, job: Job) -> None:
        flow = self.jobs[job.id]
        while flow.place == "running" and (act := flow.next_act) is not None:
            kind, *details = act
            if kind == "hold":
                return
            getattr(self, f"_{kind}")(flow, *details)
        if flow.place == "running":
            flow.result = flow.brought()
            self._end(flow, "SUCCESS")

    def _end(self, flow: Flow, status: str) -> None:
        flow.status, flow.place, flow.slot = status, "off", False

    def _park(self, flow: Flow, *, for_another: bool = False) -> None:
        flow.place = "parked"
        if for_another and flow.queue is not None and self.parks:
            flow.slot = False

    def _until(self, flow: Flow, timeout_us: int | None) -> bool:
        """Fix the deadline of the call, once; whether it has passed."""
        if flow.promise_us is None:
            flow.promise_us = NEVER_US if timeout_us is None else self.now_us + timeout_us
        return flow.promise_us <= self.now_us

    # --- acts ---------------------------------------------------------------------------------------------------

    def _step(self, flow: Flow) -> None:
        flow.settle(None)

    def _tally(self, flow: Flow) -> None:
        self.tally[flow.id] += 1
        flow.settle(None)

    def _uuid(self, flow: Flow) -> None:
        flow.settle(None)

    def _flaky(self, flow: Flow, fails: int) -> None:
        if flow.promise_us is not None and flow.promise_us > self.now_us:
            self._park(flow)
            return
        if flow.attempts >= fails:
            flow.settle(flow.attempts + 1)
            return
        flow.attempts += 1
        if flow.attempts > RETRIES:
            flow.settle(Failed("exceeded"))
        else:
            flow.promise_us = self.now_us + RETRY_US * 2 ** (flow.attempts - 1)
            self._park(flow)

    def _sleep(self, flow: Flow, us: int) -> None:
        if self._until(flow, us):
            flow.settle(None)
        else:
            self._park(flow)

    def _recv(self, flow: Flow, topic: str | None, timeout_us: int | None) -> None:
        found = next((one for one in flow.inbox if one.taken_by is None and one.topic == topic), None)
        if found is not None:
            found.taken_by = flow.step
            flow.settle(found.value)
        elif self._until(flow, timeout_us):
            flow.settle(TIMED_OUT)
        else:
            self._park(flow)

    def _send(self, flow: Flow, to: str) -> None:
        self.jobs[to].inbox.append(Message(PEERS, PEERS))
        flow.settle(None)

    def _event(self, flow: Flow, value: int) -> None:
        flow.events.append(Shown("place", value, flow.step))
        flow.settle(None)

    def _sign(self, flow: Flow) -> None:
        flow.events.append(Shown(SIGN, "yes", flow.step))
        flow.settle(None)

    def _get(self, flow: Flow, of: str, timeout_us: int) -> None:
        found = self._sign_of(of)
        if found is not None or self._until(flow, timeout_us):
            flow.settle(found or TIMED_OUT)
        else:
            self._park(flow, for_another=True)

    def _sign_of(self, flow_id: str) -> str | None:
        shower = self.jobs[flow_id]
        return shower.shown_events().get(SIGN, TIMED_OUT if shower.has_ended else None)

    def _await(self, flow: Flow, type_: str, timeout_us: int) -> None:
        at = self._fitting(flow, type_)
        if at is not None:
            flow.taken[at] = flow.step
            flow.settle(self.cloud_events[at].id)
        elif self._until(flow, timeout_us):
            flow.settle(TIMED_OUT)
        else:
            self._park(flow)

    def _fitting(self, flow: Flow, type_: str) -> int | None:
        for at, event in enumerate(self.cloud_events):
            if event.type == type_ and at not in flow.taken and event.accepted_us >= flow.created_us:
                return at
        return None

    def _write(self, flow: Flow, name: str, value: int) -> None:
        if flow.is_closed(name):
            flow.settle(Failed("closed"))
        else:
            flow.streams.append(Shown(name, value, flow.step))
            flow.settle(None)

    def _close(self, flow: Flow, name: str) -> None:
        if not flow.is_closed(name):
            flow.streams.append(Shown(name, None, flow.step))
        flow.settle(None)

    def _child(self, flow: Flow, queue: str | None, acts: tuple[Act, ...], partition: str | None) -> None:
        if flow.place_in_script[1] == 0:
            child = Flow(
                flow.child_id(), len(self.jobs), queue, "", LAST if queue else 0, partition, parent=flow, acts=acts,
                created_us=self.now_us, deadline_us=flow.deadline_us,
            )  # fmt: skip
            self._born(child, None)
            self.jobs[child.id] = child
            flow.records.append(child.id)
            if queue is not None:
                self.put_on[queue, self.now_us] += 1
            return
        child = self.jobs[flow.records[-1]]
        if not child.has_ended:
            self._park(flow, for_another=True)
        elif child.status == "SUCCESS":
            flow.settle(child.result)
        else:
            flow.settle(Failed("failed" if child.status == "ERROR" else "cancelled"))

    def _fail(self, flow: Flow) -> None:
        self._end(flow, "ERROR")

    def _again(self, flow: Flow) -> None:
        flow.seal()
