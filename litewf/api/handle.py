"""`WorkflowHandle`: a workflow by its id, to wait for it, look at it or stop it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from litewf.api.actions import Action, awaiting, blocking, change, keep, query
from litewf.durations import Duration, optional_duration_us
from litewf.engine import commands, results, views
from litewf.engine.execution import FRAME, Branch, StepFrame
from litewf.engine.results import MISSING
from litewf.errors import UsageError
from litewf.records import WorkflowStatus

if TYPE_CHECKING:
    from concurrent.futures import Future

    from litewf.engine.runtime import Runtime

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class WorkflowHandle(Generic[R_co]):
    """A workflow by its id. Handles compare by id and may be arguments and results of workflows."""

    __slots__ = ("_runtime", "workflow_id")

    def __init__(self, workflow_id: str, runtime: Runtime | None = None) -> None:
        self.workflow_id = workflow_id
        self._runtime = runtime

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorkflowHandle) and other.workflow_id == self.workflow_id

    def __hash__(self) -> int:
        return hash(self.workflow_id)

    def __repr__(self) -> str:
        return f"<handle of workflow {self.workflow_id!r}>"

    def __litewf_encode__(self) -> str:
        return self.workflow_id

    @classmethod
    def __litewf_decode__(cls, workflow_id: str) -> WorkflowHandle[Any]:
        return cls(workflow_id)

    def _running(self) -> Runtime:
        if self._runtime is not None:
            return self._runtime
        frame = FRAME.get()
        if isinstance(frame, Branch | StepFrame):
            return frame.execution.runtime
        raise UsageError(
            f"the handle of {self.workflow_id!r} came out of a value and knows no engine here; use"
            " engine.retrieve_workflow(id)"
        )

    def _outside(self, what: str) -> Runtime:
        if type(FRAME.get()) is Branch:
            raise UsageError(f"{what}() is not recorded, so no workflow may use it; wait with get_result() instead")
        return self._running()

    def _get_result(self, timeout: Duration | None = None, default: Any = MISSING) -> Action[R_co]:
        timeout_us, workflow_id = optional_duration_us(timeout, "timeout"), self.workflow_id
        limit = results.NO_LIMIT if timeout_us is None and default is MISSING else results.Limit(timeout_us, default)
        return Action(
            "get_result",
            lambda runtime: results.result_outside(runtime, workflow_id, limit),
            lambda execution, number: results.result(execution, number, workflow_id, limit),
            keep,
            lambda: results.Spec(
                "litewf.get_result", limit.due, lambda _execution, _number: results.end_of(workflow_id)
            ),
            lambda runtime: results.result_at_once(runtime, workflow_id),
        )

    def _get_status(self) -> Action[WorkflowStatus]:
        workflow_id = self.workflow_id
        return query("get_status", lambda runtime: views.status(runtime, workflow_id))

    def _cancel(self) -> Action[None]:
        workflow_id = self.workflow_id
        return change("cancel_workflow", lambda runtime: commands.cancel(runtime, workflow_id))

    get_result = blocking(_get_result)
    get_result_async = awaiting(_get_result)
    get_status = blocking(_get_status)
    get_status_async = awaiting(_get_status)
    cancel = blocking(_cancel)
    cancel_async = awaiting(_cancel)

    def add_done_callback(self, fn: Callable[[WorkflowHandle[R_co]], object]) -> None:
        """Call `fn(handle)` in a worker thread once the workflow has ended or is held; lost when the engine closes."""
        runtime = self._outside("add_done_callback")
        runtime.waiting.watch(self.workflow_id, lambda: None if runtime.closed else fn(self))

    def as_future(self) -> Future[R_co]:
        """A future of the result; `asyncio.wrap_future` makes it awaitable."""
        from concurrent.futures import Future  # noqa: PLC0415 - few programs ask for it

        future: Future[R_co] = Future()
        runtime = self._outside("as_future")

        def settle() -> None:
            if not future.set_running_or_notify_cancel():
                return  # its caller does not wait any more
            try:
                result = runtime.drive(results.result_outside(runtime, self.workflow_id, results.NO_LIMIT))
            except BaseException as error:  # noqa: BLE001 - it belongs to the future
                future.set_exception(error)
            else:
                future.set_result(result)

        runtime.waiting.watch(self.workflow_id, settle)
        return future
