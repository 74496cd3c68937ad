"""The world around an engine that dies: it lives on, and asks the next engine again what this one did not answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from litewf.api.handle import WorkflowHandle
from litewf.api.workflow import AsyncWorkflow, BaseWorkflow, Workflow
from litewf.durations import Duration, duration_us
from litewf.engine.execution import FRAME, Branch, StepFrame
from litewf.records import WorkflowStatus
from litewf.registry import Registry
from litewf.testing.clock import VirtualClock
from litewf.testing.logbook import Logbook
from litewf.testing.mortal import MortalEngine, SimulatedDeath, short
from litewf.testing.points import Deaths, Route
from litewf.world import Entropy, moment

if TYPE_CHECKING:
    from uuid import UUID

R = TypeVar("R")
MOST_LIVES = 100


@dataclass(frozen=True, slots=True)
class Past:
    """What there was before the first engine of a trial: lives that ended elsewhere, at some time."""

    now_us: int
    logbook: Logbook
    lives: int = 1


class OutsideWorld:
    """What a scenario acts through: it has the engine's methods, and those of the clock that let time pass.

    Each call is made again in the next engine if this one dies before it has answered. What this class starts, sends
    and publishes gets an id or a key of its own unless it has one, as a careful client gives it, so that asking again
    does nothing twice. Everything else that is asked again has to be harmless.
    """

    def __init__(
        self,
        path: Path,
        registry: Registry,
        deaths: Deaths,
        *,
        downtime: Duration = 0,
        past: Past | None = None,
        **options: Any,
    ) -> None:
        self.clock = VirtualClock() if past is None else VirtualClock(moment(past.now_us))
        self.logbook = Logbook() if past is None else past.logbook.copy()
        self._lives_before = 0 if past is None else past.lives
        self.routes: list[Route] = []
        self._path = path
        self._registry = registry
        self._deaths = deaths
        self._downtime = downtime
        self._options = options
        self._numbers = itertools.count(1)
        self._engines: list[MortalEngine] = []
        if past is not None:
            self.logbook.died()
            self.clock.move(downtime)

    def begin(self) -> None:
        """Launch the first engine, once everything outside is as it was at the beginning."""
        self._launch()
        self.engine.drain_us(self.clock.now_us())
        self.routes[0].begin()  # a death before the scenario begins would show nothing

    # --- acting -----------------------------------------------------------------------------------------------

    def start_workflow(self, workflow: BaseWorkflow[..., R], /, *args: Any, **kwargs: Any) -> WorkflowHandle[R]:
        """Start a workflow, as an engine does."""
        named = self._named(workflow)
        handle: WorkflowHandle[R] = self.do(lambda engine: engine.start_workflow(named, *args, **kwargs))
        return self._lasting(handle)

    def enqueue(self, queue: Any, workflow: BaseWorkflow[..., R], /, *args: Any, **kwargs: Any) -> WorkflowHandle[R]:
        """Put a workflow on a queue, as an engine does."""
        named = self._named(workflow)
        handle: WorkflowHandle[R] = self.do(lambda engine: engine.enqueue(queue, named, *args, **kwargs))
        return self._lasting(handle)

    def send(
        self, workflow_id: str, message: object, topic: str | None = None, *, idempotency_key: str | None = None
    ) -> None:
        """Send a message, as an engine does."""
        key = idempotency_key or f"outside-{next(self._numbers)}"
        self.do(lambda engine: engine.send(workflow_id, message, topic, idempotency_key=key))

    def publish_event(self, type: str, data: object, **attributes: Any) -> None:
        """Publish a CloudEvent, as an engine does."""
        attributes.setdefault("id", f"outside-{next(self._numbers)}")
        self.do(lambda engine: engine.publish_event(type, data, **attributes))

    def drain(self, until: datetime | None = None) -> None:
        """Let everything happen that happens by itself; see `VirtualClock.drain`."""
        self.do(lambda engine: engine.drain(until))

    def advance(self, duration: Duration) -> None:
        """Let time pass; what is due on the way happens at its own moment."""
        end = self.clock.now_us() + duration_us(duration, "duration")
        self.do(lambda engine: engine.drain_us(max(end, engine.clock.now_us())))

    def do(self, act: Callable[[MortalEngine], R]) -> R:
        """Do something with the engine, again and again until one lives to answer."""
        while True:
            engine = self._engines[-1]
            try:
                return act(engine)
            except BaseException:
                if engine.death is None:
                    raise
            self._recover()

    def __getattr__(self, name: str) -> Any:
        """Any other method of the engine."""
        if name.startswith("_") or not callable(getattr(MortalEngine, name, None)):
            raise AttributeError(f"an engine has no method {name!r}")

        def ask(*args: Any, **kwargs: Any) -> Any:
            answer = self.do(lambda engine: getattr(engine, name)(*args, **kwargs))
            return self._lasting(answer) if isinstance(answer, WorkflowHandle) else answer

        return ask

    # --- living on --------------------------------------------------------------------------------------------

    @property
    def lives(self) -> int:
        """How many engines there were."""
        return len(self._engines)

    @property
    def engine(self) -> MortalEngine:
        """The engine that lives now."""
        return self._engines[-1]

    def close_routes(self) -> None:
        """Nobody dies any more."""
        for route in self.routes:
            route.close()

    def close(self) -> None:
        """End the last engine, if there was one."""
        if self._engines:
            self.engine.kill("the end of the trial")

    def raise_if_dead(self) -> None:
        """In a call from a body: a process that has died calls nobody any more."""
        frame = FRAME.get()
        if isinstance(frame, StepFrame | Branch):
            for engine in self._engines:
                if engine.death is not None and engine.runs(frame):
                    raise engine.death

    def _recover(self) -> None:
        self.engine.bury()
        self.logbook.died()
        self.clock.move(self._downtime)
        self._launch()

    def _launch(self) -> None:
        while True:
            life = len(self._engines)
            assert life < MOST_LIVES
            route = Route(self._deaths[life] if life < len(self._deaths) else None)
            if life:
                route.begin()
            engine = MortalEngine(
                self._path,
                registry=self._registry,
                clock=self.clock,
                die_at=route.passes,
                entropy=StableEntropy(self._lives_before + life + 1),
                logbook=self.logbook,
                **{"application_version": "1", "recover": "compatible", **self._options},
            )
            self.routes.append(route)
            self._engines.append(engine)
            try:
                engine.launch()
            except SimulatedDeath:
                engine.bury()
                self.logbook.died()
                continue
            return

    def _named(self, workflow: BaseWorkflow[..., R]) -> BaseWorkflow[..., R]:
        """The workflow with an id, so that starting it again attaches."""
        if workflow.options.workflow_id is not None:
            return workflow
        assert isinstance(workflow, Workflow | AsyncWorkflow)
        return workflow.with_options(workflow_id=f"{short(workflow.name)}-{next(self._numbers)}")

    def _lasting(self, handle: WorkflowHandle[R]) -> WorkflowHandle[R]:
        return LastingHandle(self, handle.workflow_id)


class LastingHandle(WorkflowHandle[R]):
    """The handle of a workflow that asks whichever engine lives."""

    __slots__ = ("_world",)

    def __init__(self, outside: OutsideWorld, workflow_id: str) -> None:
        super().__init__(workflow_id)
        self._world = outside

    def get_result(self, *args: Any, **kwargs: Any) -> Any:
        return self._world.do(lambda engine: engine.retrieve_workflow(self.workflow_id).get_result(*args, **kwargs))

    def get_status(self) -> WorkflowStatus:
        return self._world.do(lambda engine: engine.retrieve_workflow(self.workflow_id).get_status())

    def cancel(self) -> None:
        self._world.do(lambda engine: engine.cancel_workflow(self.workflow_id))


class StableEntropy(Entropy):
    """Randomness that is the same for the same call of the same workflow in every life; other ids differ by life."""

    def random(self) -> float:
        return self._of_the_call().random()

    def uuid4(self) -> UUID:
        return self._of_the_call().uuid4()

    def _of_the_call(self) -> Entropy:
        frame = FRAME.get()
        if not isinstance(frame, Branch):
            return Entropy(self._random.getrandbits(64))
        call = frame.execution.key_of(f"{frame.prefix}{frame.count}")
        return Entropy(int.from_bytes(call.encode()))
