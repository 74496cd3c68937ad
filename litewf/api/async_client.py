"""`AsyncClient`: a client for asyncio programs, on aiosqlite and the SQLite of the standard library.

Its methods are the `_async` twins of Client's, under Client's own names.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import wraps
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, Literal, ParamSpec, Self, TypeVar

from litewf.api.client import WEEK, client_settings
from litewf.api.handle import WorkflowHandle
from litewf.api.queues import Queue
from litewf.api.workflow import BaseWorkflow
from litewf.api.workflows import WorkflowOperations
from litewf.durations import Duration
from litewf.engine.results import MISSING
from litewf.errors import EngineClosedError
from litewf.records import WorkflowStatus
from litewf.registry import Registry, default_registry
from litewf.serialization import Serializer
from litewf.serialization.conversion import T
from litewf.store import place
from litewf.store.transactions import Connection
from litewf.world import Clock

if TYPE_CHECKING:
    import asyncio

    from litewf.engine.async_runtime import AsyncRuntime
    from litewf.engine.watching import Watch

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class AsyncWorkflowHandle(Generic[R_co]):
    """A workflow by its id, as an AsyncClient gives it. Handles compare by id."""

    __slots__ = ("_handle", "workflow_id")

    def __init__(self, handle: WorkflowHandle[R_co]) -> None:
        self.workflow_id = handle.workflow_id
        self._handle = handle

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AsyncWorkflowHandle) and other.workflow_id == self.workflow_id

    def __hash__(self) -> int:
        return hash(self.workflow_id)

    def __repr__(self) -> str:
        return f"<handle of workflow {self.workflow_id!r}>"

    def __litewf_encode__(self) -> str:
        raise TypeError("it belongs to its client; pass litewf.WorkflowHandle(handle.workflow_id), or the id")

    @classmethod
    def __litewf_decode__(cls, workflow_id: str) -> WorkflowHandle[Any]:
        return WorkflowHandle(workflow_id)

    async def get_result(self, timeout: Duration | None = None, default: Any = MISSING) -> R_co:  # noqa: ASYNC109 - Client's parameter
        """The result of the workflow once it has ended, or its error as its own type."""
        return await self._handle.get_result_async(timeout, default)

    async def get_status(self) -> WorkflowStatus:
        """The workflow as it is now."""
        return await self._handle.get_status_async()

    async def cancel(self) -> None:
        """Cancel the workflow and its children; a finished one is left as it is."""
        await self._handle.cancel_async()

    def add_done_callback(self, fn: Callable[[AsyncWorkflowHandle[R_co]], object]) -> None:
        """Call `fn(handle)` on the loop once the workflow has ended or is held; lost when the client closes."""

        def settled(future: asyncio.Future[Any]) -> None:
            if not future.cancelled() and not isinstance(future.exception(), EngineClosedError):
                fn(self)

        self.as_future().add_done_callback(settled)

    def as_future(self) -> asyncio.Future[R_co]:
        """A future of the result, on the loop that runs here."""
        import asyncio  # noqa: PLC0415 - who gets here has it

        return asyncio.ensure_future(self.get_result())


class Operations(WorkflowOperations):
    """What an AsyncClient asks of its file; its methods here have the names of an engine's."""

    def __init__(self, runtime: AsyncRuntime) -> None:
        self.runtime = runtime

    def _running(self) -> AsyncRuntime:
        return self.runtime

    def observe(self, watch: Watch | None) -> None:
        """Tell someone what is done here."""
        from litewf.engine.observing import observe  # noqa: PLC0415 - the machinery is loaded when needed

        observe(self.runtime, watch)


def plain(
    twin: Callable[Concatenate[Operations, P], Awaitable[T]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]:
    """The async twin of a method, under the plain name."""

    @wraps(twin)
    async def call(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await twin(await self._operations(), *args, **kwargs)

    return _plainly_named(call, twin)


def streaming(
    twin: Callable[Concatenate[Operations, P], AsyncIterator[T]],
) -> Callable[Concatenate[AsyncClient, P], AsyncIterator[T]]:
    """The same, of a method that is for `async for`."""

    @wraps(twin)
    async def call(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        async for item in twin(await self._operations(), *args, **kwargs):
            yield item

    return _plainly_named(call, twin)


def giving_handle(
    twin: Callable[Concatenate[Operations, P], Coroutine[Any, Any, WorkflowHandle[R]]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, AsyncWorkflowHandle[R]]]:
    """The same, of a method that gives a handle."""

    @wraps(twin)
    async def call(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> AsyncWorkflowHandle[R]:
        return AsyncWorkflowHandle(await twin(await self._operations(), *args, **kwargs))

    return _plainly_named(call, twin)


def giving_handles(
    twin: Callable[Concatenate[Operations, P], Coroutine[Any, Any, list[WorkflowHandle[R]]]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, list[AsyncWorkflowHandle[R]]]]:
    """The same, of a method that gives several handles."""

    @wraps(twin)
    async def call(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> list[AsyncWorkflowHandle[R]]:
        return [AsyncWorkflowHandle(handle) for handle in await twin(await self._operations(), *args, **kwargs)]

    return _plainly_named(call, twin)


C = TypeVar("C", bound=Callable[..., Any])


def _plainly_named(call: C, twin: Callable[..., Any]) -> C:
    blocking = getattr(WorkflowOperations, twin.__name__.removesuffix("_async"))
    call.__name__, call.__doc__ = blocking.__name__, blocking.__doc__
    call.__qualname__ = f"AsyncClient.{blocking.__name__}"
    return call


class AsyncClient:
    """Client for asyncio programs: the same names, all to be awaited, and no thread or loop is blocked.

    The file is opened at the first call, or by `async with`, and belongs to the event loop that runs then. It must
    exist. It is opened with the SQLite of the standard library, so no Engine or Client of the same process may have it
    open. That library never copies the write-ahead log into the file: engines and Clients do. Needs `litewf[asyncio]`.
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
        _check_extra()
        self._path = place.resolve(path)
        self._settings = client_settings(self._path, registry, durability, serializer, clock, event_retention)
        self._opening: asyncio.Task[Operations] | None = None
        self._leaving: asyncio.Task[None] | None = None
        self._watch: Watch | None = None
        self._closed = False

    async def _operations(self) -> Operations:
        """The file, open."""
        import asyncio  # noqa: PLC0415 - who gets here has it

        if self._closed:
            raise EngineClosedError(f"the client on {self._path} is closed")
        opening = self._opening
        if opening is None or _failed(opening):
            opening = self._opening = asyncio.get_running_loop().create_task(self._open())
        found = opening.result() if opening.done() else await asyncio.shield(opening)
        found.runtime.raise_if_closed()
        found.runtime.raise_if_foreign()
        return found

    async def _open(self) -> Operations:
        from litewf.engine.async_runtime import AsyncRuntime  # noqa: PLC0415 - the machinery is loaded when needed

        operations = Operations(await AsyncRuntime.open(self._settings))
        operations.observe(self._watch)
        return operations

    def _observe(self, watch: Watch | None) -> None:
        """Tell someone what this client does from now on."""
        self._watch = watch
        if self._opening is not None and self._opening.done() and not _failed(self._opening):
            self._opening.result().observe(watch)

    async def close(self) -> None:
        """Close the file; callers that wait get EngineClosedError."""
        import asyncio  # noqa: PLC0415 - who gets here has it

        self._closed = True
        opening = self._opening
        if opening is not None and not opening.done():
            await asyncio.wait([opening])  # who opens it hears why that failed; who is cancelled here may close again
        if opening is not None and not _failed(opening):
            await opening.result().runtime.aclose()

    async def __aenter__(self) -> Self:
        import asyncio  # noqa: PLC0415 - who gets here has it

        try:
            await self._operations()
        except asyncio.CancelledError:  # so nobody comes to leave it; the opening goes on, and ends before the close
            self._leaving = asyncio.get_running_loop().create_task(self.close())
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- what keeps its types only when it is written out -----------------------------------------------------

    async def start_workflow(
        self, workflow: BaseWorkflow[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncWorkflowHandle[R]:
        """Start a workflow; it is durable on return. `workflow.with_options(workflow_id=...)` makes it idempotent."""
        operations = await self._operations()
        return AsyncWorkflowHandle(await operations.start_workflow_async(workflow, *args, **kwargs))

    async def run_workflow(self, workflow: BaseWorkflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Start a workflow and wait for its result."""
        return await (await self._operations()).run_workflow_async(workflow, *args, **kwargs)

    async def enqueue(
        self, queue: Queue | str, workflow: BaseWorkflow[P, T] | str, /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncWorkflowHandle[T]:
        """Put a workflow on a queue; it is durable on return, and starts when the limits of the queue allow it.

        `workflow` may be a name that only other programs have the code of; WorkflowName takes options beside it.
        """
        operations = await self._operations()
        return AsyncWorkflowHandle(await operations.enqueue_async(queue, workflow, *args, **kwargs))

    async def debounce(
        self, workflow: BaseWorkflow[P, R], key: str, period: Duration, /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncWorkflowHandle[R]:
        """Start a workflow once no call with this key has come for `period`; the arguments of the last call count.

        `workflow.with_options(max_delay=...)` bounds how long calls put it off, `queue=` says where it then waits.
        """
        operations = await self._operations()
        return AsyncWorkflowHandle(await operations.debounce_async(workflow, key, period, *args, **kwargs))

    async def transact(self, function: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `function(conn, ...)` in a worker thread on the user's own tables of this file, in one transaction."""
        operations = await self._operations()
        found: R = await operations.transact_async(function, *args, **kwargs)
        return found

    # --- everything else --------------------------------------------------------------------------------------

    start_workflows = giving_handles(Operations.start_workflows_async)
    enqueue_many = giving_handles(Operations.enqueue_many_async)
    retrieve_workflow = giving_handle(Operations.retrieve_workflow_async)
    resume_workflow = giving_handle(Operations.resume_workflow_async)
    fork_workflow = giving_handle(Operations.fork_workflow_async)
    rewind_workflow = giving_handle(Operations.rewind_workflow_async)
    trigger_schedule = giving_handle(Operations.trigger_schedule_async)
    backfill_schedule = giving_handles(Operations.backfill_schedule_async)

    list_workflows = plain(Operations.list_workflows_async)
    list_steps = plain(Operations.list_steps_async)
    cancel_workflow = plain(Operations.cancel_workflow_async)
    delete_workflow = plain(Operations.delete_workflow_async)
    update_attributes = plain(Operations.update_attributes_async)

    send = plain(Operations.send_async)
    send_bulk = plain(Operations.send_bulk_async)
    get_event = plain(Operations.get_event_async)
    get_all_events = plain(Operations.get_all_events_async)
    read_stream = streaming(Operations.read_stream_async)
    read_stream_items = streaming(Operations.read_stream_items_async)
    publish_event = plain(Operations.publish_event_async)
    publish_events = plain(Operations.publish_events_async)

    create_queue = plain(Operations.create_queue_async)
    update_queue = plain(Operations.update_queue_async)
    list_queues = plain(Operations.list_queues_async)
    pause_queue = plain(Operations.pause_queue_async)
    resume_queue = plain(Operations.resume_queue_async)
    delete_queue = plain(Operations.delete_queue_async)

    create_schedule = plain(Operations.create_schedule_async)
    get_schedule = plain(Operations.get_schedule_async)
    list_schedules = plain(Operations.list_schedules_async)
    pause_schedule = plain(Operations.pause_schedule_async)
    resume_schedule = plain(Operations.resume_schedule_async)
    delete_schedule = plain(Operations.delete_schedule_async)
    next_due = plain(Operations.next_due_async)

    query = plain(Operations.query_async)
    backup = plain(Operations.backup_async)
    prune = plain(Operations.prune_async)
    export_workflow = plain(Operations.export_workflow_async)


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _check_extra() -> None:
    from importlib.util import find_spec  # noqa: PLC0415 - few programs ask for it

    if find_spec("aiosqlite") is None:
        raise ModuleNotFoundError(
            "AsyncClient needs the package aiosqlite: pip install 'litewf[asyncio]'", name="aiosqlite"
        )
