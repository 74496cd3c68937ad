"""`Client`: everything that an engine offers but running workflows, from any process on the machine."""

from __future__ import annotations

import os
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from litewf.api.workflows import WorkflowOperations
from litewf.durations import Duration, duration_us
from litewf.engine.calls import refuse_on_loop
from litewf.errors import EngineClosedError
from litewf.registry import Registry, check_registry, default_registry
from litewf.serialization import JsonSerializer, Serializer, check_serializer
from litewf.world import Clock, World

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime, Settings
    from litewf.engine.watching import Watch

THREADS = 20  # for calls from event loops
WEEK = timedelta(days=7)


class Client(WorkflowOperations):
    """A file with workflows, opened by a program that does not run them; engines in other processes do.

    It is open from its creation until `close()`; `with Client(path) as client:` closes it. The file must exist.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        registry: Registry = default_registry,
        durability: Literal["full", "normal"] = "full",
        serializer: Serializer | None = None,
        clock: Clock | None = None,
        event_retention: Duration = WEEK,
    ) -> None:
        refuse_on_loop("Client", "use litewf.AsyncClient(...) instead")
        settings = client_settings(path, registry, durability, serializer, clock, event_retention)
        from litewf.engine.runtime import Runtime  # noqa: PLC0415 - the machinery is loaded when needed

        self._path = path
        self._live: Runtime = Runtime(settings)
        self._live.start()

    def _observe(self, watch: Watch | None) -> None:
        """Tell someone what this client does from now on."""
        from litewf.engine.observing import observe  # noqa: PLC0415 - as above

        observe(self._live, watch)

    def close(self) -> None:
        """Close the file; callers that wait get EngineClosedError."""
        self._live.shutdown(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _running(self) -> Runtime:
        if self._live.closed:
            raise EngineClosedError(f"the client on {self._path} is closed")
        return self._live


def client_settings(
    path: str | os.PathLike[str],
    registry: Registry,
    durability: Literal["full", "normal"],
    serializer: Serializer | None,
    clock: Clock | None,
    event_retention: Duration,
) -> Settings:
    """How a client opens its file."""
    check_registry(registry)
    check_serializer(serializer)
    if durability not in ("full", "normal"):
        raise ValueError(f'durability is "full" or "normal", not {durability!r}')
    from litewf.engine.runtime import Settings  # noqa: PLC0415 - as above

    return Settings(
        path=path,
        registry=registry,
        serializer=serializer or JsonSerializer(registry.types),
        world=World(clock),
        application_version=registry.version(),
        executor_id="client",
        only_version=False,
        durability=durability,
        max_threads=THREADS,
        linger_us=None,
        event_retention_us=duration_us(event_retention, "event_retention"),
        serves=False,
    )
