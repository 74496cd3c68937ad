"""This project's own machine: everything that litewf does, on engines that die at any moment, against one plain model.

After each act every engine comes to rest, so what can be seen is determined, but for an act in which the engine died:
it may or may not have happened. So the machine keeps every world that is still possible, and what it sees must be the
state of one of them.
"""

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.stateful import initialize

import litewf
from litewf.testing.machine import UNKNOWN, CrashMachine
from tests.machine import choices, observing
from tests.machine.calendar import SECOND_US, Schedule
from tests.machine.flows import SHAPES, Act, Flow
from tests.machine.model import World
from tests.machine.program import Ledger, Program
from tests.machine.telling import act, told
from tests.queues.model import Limits

PERIOD_S = 30
MOST = 40  # workflows in one file
Change = Callable[[World], object]


class Machine(CrashMachine):
    """The engines and the model, side by side."""

    last: "Machine"  # that was made
    broken: tuple[list[list[Any]], Exception] | None = None  # what the first one that went wrong did, and came to

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.programs: dict[int, Program] = {}
        self.story: list[list[Any]] = []
        self._names = 0
        self._acts = 0
        Machine.last = self
        self.engines = 1  # type: ignore[misc]  # drawn later
        self.options = {"linger": 0}  # type: ignore[misc]  # drawn later
        super().__init__()
        self.worlds = [World({}, self.clock.now_us())]
        self.engine.transact(lambda conn: conn.execute("CREATE TABLE tally (id TEXT PRIMARY KEY, n INTEGER)"))

    def build(self, place: int) -> litewf.Registry:
        self.programs[place] = Program(self.ledger)
        return self.programs[place].registry

    def died(self, place: int) -> None:
        """What ran there runs no more."""
        program = self.programs[place]
        program.dead = True
        gone = {name for name, entry in self.ledger.held.items() if entry[0] is program}
        for name in gone:
            del self.ledger.held[name]
        for world in self.worlds:
            world.advance(self.clock.now_us() - world.now_us)
            world.crash(gone | {flow.id for flow in world.jobs.values() if flow.id not in self.ledger.held})
        observing.check(self.path)

    def tell_of(self, error: Exception) -> None:
        """Something went wrong; the first time counts, since it may not come again."""
        Machine.broken = Machine.broken or (self.story, error)

    # --- what there is ------------------------------------------------------------------------------------------

    @property
    def world(self) -> World:
        return self.worlds[0]

    def flow(self, which: int, *statuses: str) -> Flow | None:
        """One of the workflows, of those in a status if any is given."""
        found = sorted(
            (flow for flow in self.world.jobs.values() if not statuses or flow.status in statuses),
            key=lambda flow: flow.id,
        )
        return found[which % len(found)] if found else None

    def new_id(self) -> str:
        self._names += 1
        return f"w{self._names:02}"

    def do(self, call: Callable[[litewf.Engine], object], change: Change, at: int) -> None:
        """Do something to the engine and to the model; if the engine died in it, both outcomes are possible."""
        before = [copy.deepcopy(world) for world in self.worlds] if self._points_to_live is not None else []
        for world in self.worlds:
            change(world)
        happened, self.worlds = self.worlds, [*self.worlds, *before]
        if self.perform(call, at=at % len(self.running)) is not UNKNOWN:
            self.worlds = happened

    # --- the beginning ------------------------------------------------------------------------------------------

    @initialize(engines=st.sampled_from([1, 1, 2]), parks=st.booleans(), a=choices.limits, b=choices.limits)
    @told
    def open(self, engines: int, parks: bool, a: dict[str, Any], b: dict[str, Any]) -> None:
        self.options = {"linger": 0 if parks else None}  # type: ignore[misc]  # from now on
        self.engines = engines  # type: ignore[misc]
        self.kill()
        self.running += [self._launch(place) for place in range(1, engines)]
        queues = {"a": a, "b": b} if parks else {"a": choices.NO_LIMITS, "b": choices.NO_LIMITS}
        limits = {name: self._create(name, **wanted) for name, wanted in queues.items()}
        self.worlds = [World(limits, self.clock.now_us(), parks=parks)]
        self.settle()

    def _create(self, name: str, rate: int | None, **wanted: int | None) -> Limits:
        rate_limit = None if rate is None else litewf.RateLimit(rate, PERIOD_S)
        self.engine.create_queue(name, rate_limit=rate_limit, priority_enabled=True, **wanted)
        limits = Limits(**{key: value for key, value in wanted.items() if key != "max_tasks_per_iteration"})
        limits.rate = None if rate is None else (rate, PERIOD_S * SECOND_US)
        if limits.worker_concurrency is not None:
            limits.worker_concurrency *= self.engines
        return limits

    # --- workflows ----------------------------------------------------------------------------------------------

    def _script(
        self, drawn: list[Act], queue: str | None = None, partition: str | None = None, *, is_child: bool = False
    ) -> tuple[Act, ...]:
        """The acts of a workflow: times that no other act has, others that are there, and nothing that chance decides.

        Who waits for another workflow gives its slot up, unless that is faster: so children last, and on queues nobody
        waits for the event of another.
        """
        acts: list[Act] = [("hold",)] if is_child and queue is not None and drawn[:1] != [("hold",)] else []
        for kind, *details in drawn:
            self._acts += 1
            if kind in ("get", "send"):
                other = self.flow(details[0])
                if other is None or (kind == "get" and queue is not None):
                    continue
                details[0] = other.id
            if kind in ("event", "write"):
                details.append(self._acts)
            if kind == "child":
                details[:] = self._child(details[0], details[1], queue, partition)
            if kind in choices.TIMED and details[-1] is not None:
                details[-1] = details[-1] * SECOND_US + self._acts  # a moment of its own
            acts.append((kind, *details))
        return tuple(acts)

    def _child(self, of_child: str | None, drawn: list[Act], queue: str | None, partition: str | None) -> list[Any]:
        of_child = None if self.engines > 1 else of_child
        place = partition if of_child is not None and of_child == queue else None
        return [of_child, self._script(drawn, of_child or queue, place, is_child=True), place]

    @act(
        script=choices.scripts, timeout=choices.timeouts, is_async=st.booleans(), at=choices.place, twice=st.booleans()
    )
    def start(self, script: list[Act], timeout: int | None, is_async: bool, at: int, twice: bool) -> None:
        self._begin(None, script, {}, timeout, is_async, at, twice)

    @act(queue=choices.queue, script=choices.scripts, options=choices.queued, timeout=choices.timeouts,
         is_async=st.booleans(), at=choices.place, twice=st.booleans())  # fmt: skip
    def enqueue(
        self, queue: str, script: list[Act], options: dict[str, Any], timeout: int | None, is_async: bool, at: int,
        twice: bool,
    ) -> None:  # fmt: skip
        self._begin(queue, script, options, timeout, is_async, at, twice)

    def _begin(
        self, queue: str | None, script: list[Act], options: dict[str, Any], timeout: int | None, is_async: bool,
        at: int, twice: bool,
    ) -> None:  # fmt: skip
        if len(self.world.jobs) >= MOST:
            return
        flow_id, acts = self.new_id(), self._script(script, queue, options.get("partition_key"))
        timeout_us = None if timeout is None else timeout * SECOND_US + self._acts
        duplicates = (
            [world.holder(queue, options.get("deduplication_id", "")) for world in self.worlds] if queue else []
        )
        if any(duplicates):
            self._refused(queue, options, duplicates)
            return
        delay = options.get("delay")

        def call(engine: litewf.Engine) -> object:
            limit = {} if timeout_us is None else {"timeout": timeout_us / SECOND_US}
            workflow = self.programs[at % len(self.running)].of(acts, is_async=is_async)
            chosen = workflow.with_options(workflow_id=flow_id, **options, **limit)
            return engine.enqueue(queue, chosen, acts, []) if queue else engine.start_workflow(chosen, acts, [])

        def change(world: World) -> None:
            due_us = world.now_us + delay * SECOND_US if delay else None
            world.start(Flow(
                flow_id, 0, queue, "", options.get("priority", 0), options.get("partition_key"),
                options.get("deduplication_id"), due_us, acts=acts, timeout_us=timeout_us,
            ))  # fmt: skip

        self.do(call, change, at)
        if twice:
            self.do(call, change, at)

    def _refused(self, queue: str | None, options: dict[str, Any], holders: list[Any]) -> None:
        """Somebody has the deduplication id."""
        if len(self.worlds) > 1:
            return
        chosen = self.programs[0].play.with_options(**options, on_duplicate="return_existing")
        found = self.perform(lambda engine: engine.enqueue(queue, chosen, [], []))
        assert found is UNKNOWN or found.workflow_id == holders[0].id, (
            f"{found.workflow_id} has the id of {holders[0].id}"
        )
        self.settle()

    @act(which=choices.which)
    def release(self, which: int) -> None:
        """Let a body end."""
        names = sorted(self.ledger.held)
        if names:
            name = names[which % len(names)]
            before = [copy.deepcopy(world) for world in self.worlds] if self._points_to_live is not None else []
            for world in self.worlds:
                world.release(world.jobs[name])
            program, loop, gate = self.ledger.held.pop(name)
            deaths = self.deaths
            happened, self.worlds = self.worlds, [*self.worlds, *before]
            self.perform(lambda _engine: loop.call_soon_threadsafe(gate.set))
            if deaths == self.deaths:
                self.worlds = happened

    @act(which=choices.which, at=choices.place)
    def cancel(self, which: int, at: int) -> None:
        if flow := self.flow(which):
            self.do(lambda engine: engine.cancel_workflow(flow.id), lambda world: world.cancel(world.jobs[flow.id]), at)

    @act(which=choices.which, at=choices.place)
    def resume(self, which: int, at: int) -> None:
        self.ledger.ended = set()
        if flow := self.flow(which, "CANCELLED", "CANCELLED", "ENQUEUED", "DELAYED"):
            self.do(lambda engine: engine.resume_workflow(flow.id), lambda world: world.resume(world.jobs[flow.id]), at)

    @act(which=choices.which, start=choices.steps, at=choices.place)
    def rewind(self, which: int, start: int | None, at: int) -> None:
        self.ledger.ended = set()
        if (flow := self.flow(which, "SUCCESS", "ERROR", "CANCELLED")) and len(self.worlds) == 1:
            start = start and min(start, flow.step)
            self.do(
                lambda engine: engine.rewind_workflow(flow.id, start),
                lambda world: world.rewind(world.jobs[flow.id], start),
                at,
            )

    @act(which=choices.which, start=choices.steps.filter(bool), at=choices.place, twice=st.booleans())
    def fork(self, which: int, start: int, at: int, twice: bool) -> None:
        flow = self.flow(which)
        if flow is None or len(self.world.jobs) >= MOST:
            return
        new_id, reach = self.new_id(), min(one.jobs[flow.id].step for one in self.worlds if flow.id in one.jobs)
        for _ in range(2 if twice else 1):
            self.do(
                lambda engine: engine.fork_workflow(flow.id, min(start, reach), workflow_id=new_id),
                lambda world: world.fork(world.jobs[flow.id], min(start, reach), new_id),
                at,
            )

    # --- talking ------------------------------------------------------------------------------------------------

    @act(which=choices.which, topic=choices.topics, at=choices.place, twice=st.booleans())
    def tell(self, which: int, topic: str | None, at: int, twice: bool) -> None:
        """A message from outside, once or twice with the same key."""
        flow = self.flow(which)
        if flow is None:
            return
        self._acts += 1
        value = self._acts
        key = f"key {value}" if twice else None
        for _ in range(2 if twice else 1):
            self.do(
                lambda engine: engine.send(flow.id, value, topic, idempotency_key=key),
                lambda world: world.deliver(flow.id, value, topic, key),
                at,
            )

    @act(type_=choices.event_types, id_=st.integers(0, 20), at=choices.place)
    def publish(self, type_: str, id_: int, at: int) -> None:
        self.do(
            lambda engine: engine.publish_event(type_, None, source="s", id=str(id_)),
            lambda world: world.publish(type_, str(id_)),
            at,
        )

    # --- queues and schedules -----------------------------------------------------------------------------------

    @act(queue=choices.queue, name=st.sampled_from(choices.CHANGES), value=choices.limit, at=choices.place)
    def change_limit(self, queue: str, name: str, value: int | None, at: int) -> None:
        if self.world.parks and self.world.queues:
            for_all = value * self.engines if value is not None and name == "worker_concurrency" else value
            self.do(
                lambda engine: engine.update_queue(queue, **{name: value}),
                lambda world: world.change(queue, **{name: for_all}),
                at,
            )

    @act(queue=choices.queue, paused=st.booleans(), at=choices.place)
    def pause(self, queue: str, paused: bool, at: int) -> None:
        if self.world.queues:
            self.do(
                lambda engine: engine.pause_queue(queue) if paused else engine.resume_queue(queue),
                lambda world: world.change(queue, paused=paused),
                at,
            )

    @act(name=choices.schedule, minutes=st.sampled_from([1, 5, 30]), on_missed=choices.on_missed, at=choices.place)
    def schedule(self, name: str, minutes: int, on_missed: str, at: int) -> None:
        if name in self.world.schedules or len(self.worlds) > 1:
            return

        def change(world: World) -> None:
            one = Schedule(minutes, on_missed, 0)
            one.next_us = one.following(world.now_us)
            world.schedules[name] = one

        cron = "* * * * *" if minutes == 1 else f"*/{minutes} * * * *"
        self.do(
            lambda engine: engine.create_schedule(name, self.programs[0].tick, cron, on_missed=on_missed), change, at
        )

    @act(name=choices.schedule, paused=st.booleans(), at=choices.place)
    def pause_schedule(self, name: str, paused: bool, at: int) -> None:
        if name not in self.world.schedules or len(self.worlds) > 1:
            return

        def change(world: World) -> None:
            one = world.schedules[name]
            if one.paused and not paused:
                one.next_us = one.following(world.now_us)
            one.paused = paused

        self.do(lambda engine: engine.pause_schedule(name) if paused else engine.resume_schedule(name), change, at)

    @act(name=choices.schedule, at=choices.place)
    def unschedule(self, name: str, at: int) -> None:
        if name in self.world.schedules and len(self.worlds) == 1:
            self.do(lambda engine: engine.delete_schedule(name), lambda world: world.schedules.pop(name), at)

    # --- time and death -----------------------------------------------------------------------------------------

    @act(seconds=st.sampled_from([0, 1, 4, 12, 31, 61, 400]))
    def time_passes(self, seconds: int) -> None:
        self.settle(seconds)
        for world in self.worlds:
            world.advance(self.clock.now_us() - world.now_us)

    @act(seconds=st.sampled_from([5, 50, 500, 5000]))
    def time_jumps(self, seconds: int) -> None:
        us = min(world.harmless_jump(seconds * SECOND_US) for world in self.worlds)
        for world in self.worlds:
            world.jump(us)
        self.clock.move(us / SECOND_US)
        self.settle()

    @act(place=choices.place, again_in=st.none() | st.integers(1, 10))
    def the_process_is_killed(self, place: int, again_in: int | None = None) -> None:
        self.kill(place % len(self.running), again_in=again_in)
        self.settle()

    @act(points=st.integers(1, 12))
    def the_process_will_be_killed(self, points: int) -> None:
        self.die_in(points)

    # what makes the rest interesting comes more often
    start_2, start_3, enqueue_2, enqueue_3, enqueue_4 = start, start, enqueue, enqueue, enqueue
    release_2, release_3, release_4, rewind_2, cancel_2, tell_2 = release, release, release, rewind, cancel, tell
    time_passes_2, the_process_will_be_killed_2 = time_passes, the_process_will_be_killed

    # --- comparing ----------------------------------------------------------------------------------------------

    def agree(self) -> None:
        """What is seen is the state of one of the worlds that are possible."""
        assert not self.ledger.violations, self.ledger.violations
        if not self.world.queues:
            return
        seen, schedules = observing.state(self.path, self.ledger.held)
        possible = [world for world in self.worlds if world.seen() == seen and world.seen_schedules() == schedules]
        if not possible:
            if any(world.is_open for world in self.worlds):
                raise UnsatisfiedAssumption("whose child came first is open")
            raise AssertionError(observing.differences(seen, schedules, self.worlds))
        self.worlds = possible
        for world in possible:
            world.put_on.clear()
        if len(possible) == 1:
            self._note_what_is_over()

    def _note_what_is_over(self) -> None:
        over = set()
        for flow in self.world.jobs.values():
            generation = f"~@{flow.generation}" if flow.generation > 1 else ""
            number = 0
            for kind, *_ in flow.acts:
                number += SHAPES[kind][0]
                if kind in ("step", "hold", "flaky", "uuid") and number < flow.step:
                    over.add(f"{flow.id}{generation}:{number}")
        ended = {flow.id for flow in self.world.jobs.values() if flow.has_ended}
        self.ledger.knows(over, ended, lives=1 + self.deaths)
