"""The workflows of the machine: each plays a script of acts, as `flows.SHAPES` lists them, sync or async.

A `Program` is what one engine runs. The `Ledger` is shared by all of them and outlives them: which bodies run where,
which have ever run, and what they saw. It is the test's own record, of things that no file need be asked about.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import litewf
from tests.machine.flows import Act
from tests.machine.model import PEERS, RETRIES, SIGN, TIMED_OUT
from tests.queues.model import LAST

VERSION = "1"
HELD_BODY = "held body"


class Ledger:
    """What really happened in bodies, told by the bodies."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[Program, asyncio.AbstractEventLoop, asyncio.Event]] = {}  # bodies that run, by id
        self.started: Counter[str] = Counter()  # bodies, by idempotency key
        self.over: set[str] = set()  # keys of steps that are known to be recorded: their bodies never start again
        self.ended: set[str] = set()  # workflows that have ended, or were cancelled: no body of theirs starts
        self.saw: dict[str, str] = {}
        self.violations: list[str] = []

    def body(self) -> None:
        """A body starts."""
        key = litewf.idempotency_key()
        if key in self.over:
            self.violations.append(f"the body of {key} started although its outcome is recorded")
        if litewf.workflow_id() in self.ended:
            self.violations.append(f"the body of {key} started although its workflow has ended")
        self.started[key] += 1

    def sees(self, value: str) -> None:
        """A body has been given a value of the workflow: every later execution gets the same."""
        self.body()
        key = litewf.idempotency_key()
        if self.saw.setdefault(key, value) != value:
            self.violations.append(f"the body of {key} was given {self.saw[key]} and later {value}")

    def knows(self, over: set[str], ended: set[str], *, lives: int) -> None:
        """What is certain now: these steps are recorded, these workflows have ended."""
        self.over |= over
        self.ended = ended
        for key, count in self.started.items():
            if count > lives * (RETRIES + 1):
                self.violations.append(f"the body of {key} started {count} times in {lives} lives")


class Program:
    """The registry of one engine."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.dead = False
        self.registry = registry = litewf.Registry()
        self.hold = registry.step(name="hold")(self._hold)
        self.steps = {
            "step": (registry.step(name="step")(self._step), registry.step(name="step, async")(self._step_async)),
            "flaky": tuple(
                registry.step(name=name, max_retries=RETRIES, base_interval=3, max_interval=1000)(body)
                for name, body in (("flaky", self._flaky), ("flaky, async", self._flaky_async))
            ),
            "sees": (registry.step(name="sees")(ledger.sees), registry.step(name="sees, async")(self._sees_async)),
        }
        self.tally = registry.transaction(name="tally")(self._tally)
        self._define(registry)

    def _define(self, registry: litewf.Registry) -> None:
        @registry.workflow(name="play")
        def play(acts: list[Act], got: list[Any]) -> list[Any]:
            return self._play(acts, got)

        @registry.workflow(name="play, async")
        async def play_async(acts: list[Act], got: list[Any]) -> list[Any]:
            return await self._play_async(acts, got)

        @registry.workflow(name="tick")
        def tick(scheduled_at: datetime, actual_at: datetime) -> list[Any]:
            self._do_step()
            return []

        self.play, self.play_async, self.tick = play, play_async, tick

    # --- bodies -------------------------------------------------------------------------------------------------

    async def _hold(self) -> None:
        self.ledger.body()
        name, gate = litewf.workflow_id(), asyncio.Event()
        if name in self.ledger.held and not self.ledger.held[name][0].dead:
            self.ledger.violations.append(f"two bodies of {name} run at once")
        entry = self.ledger.held[name] = (self, asyncio.get_running_loop(), gate)
        try:
            await gate.wait()
        finally:
            if self.ledger.held.get(name) is entry:
                del self.ledger.held[name]

    def _step(self) -> None:
        self.ledger.body()

    async def _step_async(self) -> None:
        self.ledger.body()

    def _flaky(self, fails: int) -> int:
        self.ledger.body()
        if litewf.attempt() <= fails:
            raise ValueError("as the script says")
        return litewf.attempt()

    async def _flaky_async(self, fails: int) -> int:
        return self._flaky(fails)

    async def _sees_async(self, value: str) -> None:
        self.ledger.sees(value)

    @staticmethod
    def _tally(conn: litewf.Connection, flow_id: str) -> None:
        conn.execute("INSERT INTO tally VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET n = n + 1", (flow_id,))

    # --- workflows ----------------------------------------------------------------------------------------------

    def _play(self, acts: list[Act], got: list[Any]) -> list[Any]:
        for at, (kind, *details) in enumerate(acts):
            if kind == "again":
                litewf.continue_as_new(acts[at + 1 :], got)
            with suppress(litewf.StreamClosedError):
                got += getattr(self, f"_do_{kind}")(*details) or []
        return got

    async def _play_async(self, acts: list[Act], got: list[Any]) -> list[Any]:
        for at, (kind, *details) in enumerate(acts):
            if kind == "again":
                litewf.continue_as_new(acts[at + 1 :], got)
            with suppress(litewf.StreamClosedError):
                got += await getattr(self, f"_do_{kind}_async")(*details) or []
        return got

    def _do_step(self) -> None:
        self.steps["step"][0]()

    async def _do_step_async(self) -> None:
        await self.steps["step"][1]()

    async def _do_hold_async(self) -> None:
        await self.hold()

    def _do_flaky(self, fails: int) -> list[Any]:
        try:
            return [self.steps["flaky"][0](fails)]
        except litewf.StepRetriesExceededError:
            return ["exceeded"]

    async def _do_flaky_async(self, fails: int) -> list[Any]:
        try:
            return [await self.steps["flaky"][1](fails)]
        except litewf.StepRetriesExceededError:
            return ["exceeded"]

    def _do_uuid(self) -> None:
        self.steps["sees"][0](str(litewf.uuid()))

    async def _do_uuid_async(self) -> None:
        await self.steps["sees"][1](str(litewf.uuid()))

    def _do_tally(self) -> None:
        self.tally(litewf.workflow_id())

    async def _do_tally_async(self) -> None:
        await self.tally.run_async(litewf.workflow_id())

    def _do_sleep(self, us: int) -> None:
        litewf.sleep(_us(us))

    async def _do_sleep_async(self, us: int) -> None:
        await litewf.sleep_async(_us(us))

    def _do_recv(self, topic: str | None, us: int | None) -> list[Any]:
        return [litewf.recv(topic, **_limit(us))]

    async def _do_recv_async(self, topic: str | None, us: int | None) -> list[Any]:
        return [await litewf.recv_async(topic, **_limit(us))]

    def _do_send(self, to: str) -> None:
        litewf.send(to, PEERS, PEERS)

    async def _do_send_async(self, to: str) -> None:
        await litewf.send_async(to, PEERS, PEERS)

    def _do_event(self, value: int) -> None:
        litewf.set_event("place", value)

    async def _do_event_async(self, value: int) -> None:
        await litewf.set_event_async("place", value)

    def _do_sign(self) -> None:
        litewf.set_event(SIGN, "yes")

    async def _do_sign_async(self) -> None:
        await litewf.set_event_async(SIGN, "yes")

    def _do_get(self, of: str, us: int) -> list[Any]:
        return [litewf.get_event(of, SIGN, **_limit(us))]

    async def _do_get_async(self, of: str, us: int) -> list[Any]:
        return [await litewf.get_event_async(of, SIGN, **_limit(us))]

    def _do_await(self, type_: str, us: int) -> list[Any]:
        found = litewf.wait_event(type_, **_limit(us))
        return [found if isinstance(found, str) else found.id]

    async def _do_await_async(self, type_: str, us: int) -> list[Any]:
        found = await litewf.wait_event_async(type_, **_limit(us))
        return [found if isinstance(found, str) else found.id]

    def _do_write(self, name: str, value: int) -> None:
        litewf.write_stream(name, value)

    async def _do_write_async(self, name: str, value: int) -> None:
        await litewf.write_stream_async(name, value)

    def _do_close(self, name: str) -> None:
        litewf.close_stream(name)

    async def _do_close_async(self, name: str) -> None:
        await litewf.close_stream_async(name)

    def _do_child(self, queue: str | None, acts: list[Act], partition: str | None) -> list[Any]:
        child = self.of(acts)
        if queue:
            handle = litewf.enqueue(queue, child.with_options(priority=LAST, partition_key=partition), acts, [])
        else:
            handle = litewf.start_workflow(child, acts, [])
        try:
            return [handle.get_result()]
        except litewf.WorkflowCancelledError:
            return ["cancelled"]
        except ValueError:
            return ["failed"]

    async def _do_child_async(self, queue: str | None, acts: list[Act], partition: str | None) -> list[Any]:
        child = self.of(acts)
        if queue:
            handle = await litewf.enqueue_async(
                queue, child.with_options(priority=LAST, partition_key=partition), acts, []
            )
        else:
            handle = await litewf.start_workflow_async(child, acts, [])
        try:
            return [await handle.get_result_async()]
        except litewf.WorkflowCancelledError:
            return ["cancelled"]
        except ValueError:
            return ["failed"]

    def of(self, acts: Any, *, is_async: bool | None = None) -> Any:
        """The workflow that plays a script: a sync one if nothing says otherwise and its kinds allow it."""
        if is_async is None:
            is_async = len(acts) % 2 == 1
        return self.play_async if is_async or any(act[0] == "hold" for act in acts) else self.play

    def _do_fail(self) -> None:
        raise ValueError("as the script says")

    async def _do_fail_async(self) -> None:
        raise ValueError("as the script says")


def _us(us: int) -> timedelta:
    return timedelta(microseconds=us)


def _limit(us: int | None) -> dict[str, Any]:
    return {} if us is None else {"timeout": _us(us), "default": TIMED_OUT}
