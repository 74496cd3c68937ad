"""`Engine`: runs the workflows of one file in this process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from litewf.api.queues import Queue, name_of
from litewf.api.workflows import WorkflowOperations
from litewf.durations import Duration, duration_us, optional_duration_us
from litewf.engine.calls import refuse_on_loop
from litewf.engine.execution import rehearsing
from litewf.errors import EngineClosedError, UsageError, WaitTimeoutError
from litewf.records import Retention
from litewf.registry import Registry, check_name, check_registry, default_registry
from litewf.serialization import JsonSerializer, Serializer, check_serializer
from litewf.world import Clock, World

if TYPE_CHECKING:
    import asyncio

    from litewf.engine.runtime import Runtime, Settings
    from litewf.engine.watching import Watch


class Engine(WorkflowOperations):
    """Durable execution on one SQLite file; several engines, in several processes, may share a file.

    `queues` are those that it serves, None for all. `application_version` defaults to a hash of the workflows' code.
    `recover="compatible"` runs every unfinished workflow whose name is registered, `"matching"` (the default if a
    version is given) only those of its own version. `durability="normal"` is faster and may forget the last commits
    after a power cut, never after a crash. `linger` is for how long a wait stays in memory; 0 parks at every wait, None
    never. `retention` prunes finished workflows: by age, or as a Retention says. `event_retention` is for how long
    CloudEvents are kept for waits to come, and remembered as duplicates.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        registry: Registry = default_registry,
        queues: Sequence[Queue | str] | None = None,
        application_version: str | None = None,
        executor_id: str | None = None,
        durability: Literal["full", "normal"] = "full",
        max_threads: int = 200,
        linger: Duration | None = 0.2,
        retention: Retention | Duration | None = None,
        event_retention: Duration = timedelta(days=7),
        recover: Literal["compatible", "matching"] | None = None,
        serializer: Serializer | None = None,
        clock: Clock | None = None,
        world: World | None = None,
    ) -> None:
        self._path = path
        self._registry = registry
        if isinstance(queues, str):
            raise TypeError(f"queues is a list of queues; for one, write [{queues!r}]")
        self._queues = None if queues is None else tuple(name_of(queue) for queue in queues)
        self._given_version = application_version
        self.executor_id = executor_id if executor_id is not None else f"process-{os.getpid()}"
        self._durability: Literal["full", "normal"] = durability
        self._max_threads = max_threads
        self._linger_us = optional_duration_us(linger, "linger")
        self._retention = (
            retention if retention is None or isinstance(retention, Retention) else Retention(age=retention)
        )
        self._event_retention_us = duration_us(event_retention, "event_retention")
        self._recover = recover or ("compatible" if application_version is None else "matching")
        self._serializer = serializer
        self._world = world or World(clock)
        self._live: Runtime | None = None
        self._watch: Watch | None = None
        self._check()

    def _check(self) -> None:
        check_registry(self._registry)
        check_serializer(self._serializer)
        if self._durability not in ("full", "normal"):
            raise ValueError(f'durability is "full" or "normal", not {self._durability!r}')
        if self._recover not in ("compatible", "matching"):
            raise ValueError(f'recover is "compatible" or "matching", not {self._recover!r}')
        if isinstance(self._max_threads, bool) or not isinstance(self._max_threads, int):
            raise TypeError(f"max_threads is a whole number, not {self._max_threads!r}")
        if not 1 <= self._max_threads <= 10_000:
            raise ValueError(f"max_threads must be between 1 and 10000, not {self._max_threads}")
        check_name(self.executor_id, "executor_id")
        if self._given_version is not None:
            check_name(self._given_version, "application_version")

    @property
    def registry(self) -> Registry:
        """The definitions that it runs."""
        return self._registry

    @property
    def clock(self) -> Clock:
        """What tells it the time."""
        return self._world.clock

    @property
    def is_running(self) -> bool:
        """Whether it was launched, and not shut down since."""
        return self._live is not None and not self._live.closed

    @property
    def application_version(self) -> str:
        """The version that new workflows are started with."""
        if self._live is not None:
            return self._live.version
        return self._given_version or self._registry.version()

    def launch(self) -> None:
        """Open the file, creating it when missing, recover what was running, and begin to run workflows."""
        refuse_on_loop("launch")
        self._launch(None)

    async def launch_async(self) -> None:
        """Launch, with async workflows on the loop that runs here."""
        import asyncio  # noqa: PLC0415 - only programs with an event loop pay for it

        from litewf.engine.launching import Building  # noqa: PLC0415 - as above

        self._begin(await Building(self._build).taken(), asyncio.get_running_loop())

    def _launch(self, loop: asyncio.AbstractEventLoop | None) -> None:
        self._begin(self._build(), loop)

    def _build(self) -> Runtime:
        from litewf.engine.observing import observe  # noqa: PLC0415 - as above
        from litewf.engine.runtime import Runtime  # noqa: PLC0415 - the event loop machinery is loaded when needed

        if self._live is not None and not self._live.closed:
            raise UsageError("the engine is launched already")
        if self._live is not None:
            self._live.shutdown(0)
        live = Runtime(self._settings())
        observe(live, self._watch)
        return live

    def _observe(self, watch: Watch | None) -> None:
        """Tell someone what this engine does, from now on and at each launch to come."""
        self._watch = watch
        if self._live is not None:
            from litewf.engine.observing import observe  # noqa: PLC0415 - as above

            observe(self._live, watch)

    def _begin(self, live: Runtime, loop: asyncio.AbstractEventLoop | None) -> None:
        live.start(loop)
        self._live = live

    def _settings(self) -> Settings:
        from litewf.engine.runtime import Settings  # noqa: PLC0415 - as above

        return Settings(
            path=self._path,
            registry=self._registry,
            serializer=self._serializer or JsonSerializer(self._registry.types),
            world=self._world,
            application_version=self._given_version or self._registry.version(),
            executor_id=self.executor_id,
            only_version=self._recover == "matching",
            durability=self._durability,
            max_threads=self._max_threads,
            linger_us=self._linger_us,
            event_retention_us=self._event_retention_us,
            queues=self._queues,
            retention=self._retention,
        )

    def shutdown(self, timeout: Duration = 10) -> None:
        """Claim nothing more, let running step bodies end within the timeout, and close the file.

        Unfinished workflows go on at the next launch. Waiting callers get EngineClosedError.
        """
        refuse_on_loop("shutdown")
        timeout_us = duration_us(timeout, "timeout")
        if self._live is not None:
            self._live.shutdown(timeout_us / 1_000_000)

    async def shutdown_async(self, timeout: Duration = 10) -> None:  # noqa: ASYNC109 - a bound on bodies, not on this
        """Shut down without blocking the loop; see shutdown."""
        import asyncio  # noqa: PLC0415 - as above

        timeout_us = duration_us(timeout, "timeout")
        if self._live is not None:
            ending = asyncio.get_running_loop().run_in_executor(None, self._live.shutdown, timeout_us / 1_000_000)
            await asyncio.shield(ending)  # who is cancelled here leaves an engine that ends all the same

    def wait_until_idle(self, timeout: Duration | None = None) -> None:
        """Wait until nothing runs here, and nothing is ready or due; what waits for something may be parked."""
        refuse_on_loop("wait_until_idle")
        timeout_us = optional_duration_us(timeout, "timeout")
        running = self._running()
        if not running.dispatcher.at_rest().wait(None if timeout_us is None else timeout_us / 1_000_000):
            raise WaitTimeoutError(f"there is still work after {timeout} s: {', '.join(running.labels())}")
        running.raise_if_closed()

    async def wait_until_idle_async(self, timeout: Duration | None = None) -> None:  # noqa: ASYNC109 - as in the other form
        """Wait without blocking the loop; see wait_until_idle."""
        import asyncio  # noqa: PLC0415 - as above

        await asyncio.to_thread(self.wait_until_idle, timeout)

    def __enter__(self) -> Self:
        self.launch()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    async def __aenter__(self) -> Self:
        await self.launch_async()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.shutdown_async()

    def _running(self) -> Runtime:
        if (stage := rehearsing()) is not None:
            return stage
        if self._live is None:
            raise EngineClosedError(f"the engine on {self._path} is not launched; use `with engine:` or launch()")
        return self._live
