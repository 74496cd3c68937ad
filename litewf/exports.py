"""Every name that `import litewf` gives; the package loads this file when the first of them is asked for."""

from __future__ import annotations

from litewf.api.async_client import AsyncClient, AsyncWorkflowHandle
from litewf.api.client import Client
from litewf.api.cloud_events import wait_event, wait_event_async
from litewf.api.context import (
    attempt,
    authenticated_roles,
    authenticated_user,
    cancelled,
    continue_as_new,
    deprecate_patch,
    idempotency_key,
    now,
    patch,
    random,
    sleep,
    sleep_async,
    sleep_until,
    sleep_until_async,
    step_id,
    uuid,
    wait_all,
    wait_all_async,
    wait_first,
    wait_first_async,
    workflow_id,
)
from litewf.api.engine import Engine
from litewf.api.events import set_event, set_event_async
from litewf.api.handle import WorkflowHandle
from litewf.api.inside import inside as _inside
from litewf.api.logs import LogContext, is_replaying, logger
from litewf.api.messages import recv, recv_async
from litewf.api.named import WorkflowName
from litewf.api.queues import Queue
from litewf.api.schedules import scheduled
from litewf.api.step import AsyncStep, Step, run_step, run_step_async
from litewf.api.streams import close_stream, close_stream_async, write_stream, write_stream_async
from litewf.api.transaction import Transaction
from litewf.api.workflow import AsyncWorkflow, Workflow
from litewf.engine.steps import NOT_DONE
from litewf.errors import (
    BlockingCallError,
    DuplicateWorkflowError,
    EngineClosedError,
    HistoryError,
    LitewfError,
    MaxRecoveryAttemptsExceededError,
    NonDeterminismError,
    NotInWorkflowError,
    OutcomeUnknownError,
    PayloadError,
    QueueNotFoundError,
    QueuePriorityError,
    RegistrationError,
    RemoteError,
    ScheduleNotFoundError,
    SerializationError,
    StepRetriesExceededError,
    StepTimeoutError,
    StepUncertainError,
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreMovedError,
    StoreUnsupportedError,
    StoreVersionError,
    StreamClosedError,
    UnknownTypeError,
    UsageError,
    WaitTimeoutError,
    WorkflowCancelledError,
    WorkflowConflictError,
    WorkflowHeldError,
    WorkflowNotFoundError,
    WorkflowStateError,
    WorkflowTimeoutError,
)
from litewf.histories import History
from litewf.records import (
    CloudEvent,
    Message,
    QueueInfo,
    RateLimit,
    ReceivedEvent,
    Retention,
    ScheduleInfo,
    StepInfo,
    StreamItem,
    Waiting,
    WorkflowFilter,
    WorkflowInput,
    WorkflowStatus,
)
from litewf.registry import Registry, default_registry
from litewf.serialization import JsonSerializer, Opaque, Serializer
from litewf.store.transactions import Connection
from litewf.world import Clock

workflow = default_registry.workflow
step = default_registry.step
transaction = default_registry.transaction

start_workflow = _inside.start_workflow
start_workflow_async = _inside.start_workflow_async
start_workflows = _inside.start_workflows
start_workflows_async = _inside.start_workflows_async
enqueue = _inside.enqueue
enqueue_async = _inside.enqueue_async
enqueue_many = _inside.enqueue_many
enqueue_many_async = _inside.enqueue_many_async
run_workflow = _inside.run_workflow
run_workflow_async = _inside.run_workflow_async
retrieve_workflow = _inside.retrieve_workflow
retrieve_workflow_async = _inside.retrieve_workflow_async
cancel_workflow = _inside.cancel_workflow
cancel_workflow_async = _inside.cancel_workflow_async
list_workflows = _inside.list_workflows
list_workflows_async = _inside.list_workflows_async
send = _inside.send
send_async = _inside.send_async
send_bulk = _inside.send_bulk
send_bulk_async = _inside.send_bulk_async
get_event = _inside.get_event
get_event_async = _inside.get_event_async
get_all_events = _inside.get_all_events
get_all_events_async = _inside.get_all_events_async
publish_event = _inside.publish_event
publish_event_async = _inside.publish_event_async
publish_events = _inside.publish_events
publish_events_async = _inside.publish_events_async
read_stream = _inside.read_stream
read_stream_async = _inside.read_stream_async
read_stream_items = _inside.read_stream_items
read_stream_items_async = _inside.read_stream_items_async

__all__ = [
    "NOT_DONE",
    "AsyncClient",
    "AsyncStep",
    "AsyncWorkflow",
    "AsyncWorkflowHandle",
    "BlockingCallError",
    "Client",
    "Clock",
    "CloudEvent",
    "Connection",
    "DuplicateWorkflowError",
    "Engine",
    "EngineClosedError",
    "History",
    "HistoryError",
    "JsonSerializer",
    "LitewfError",
    "LogContext",
    "MaxRecoveryAttemptsExceededError",
    "Message",
    "NonDeterminismError",
    "NotInWorkflowError",
    "Opaque",
    "OutcomeUnknownError",
    "PayloadError",
    "Queue",
    "QueueInfo",
    "QueueNotFoundError",
    "QueuePriorityError",
    "RateLimit",
    "ReceivedEvent",
    "RegistrationError",
    "Registry",
    "RemoteError",
    "Retention",
    "ScheduleInfo",
    "ScheduleNotFoundError",
    "SerializationError",
    "Serializer",
    "Step",
    "StepInfo",
    "StepRetriesExceededError",
    "StepTimeoutError",
    "StepUncertainError",
    "StoreCorruptError",
    "StoreError",
    "StoreFullError",
    "StoreLockedError",
    "StoreMovedError",
    "StoreUnsupportedError",
    "StoreVersionError",
    "StreamClosedError",
    "StreamItem",
    "Transaction",
    "UnknownTypeError",
    "UsageError",
    "WaitTimeoutError",
    "Waiting",
    "Workflow",
    "WorkflowCancelledError",
    "WorkflowConflictError",
    "WorkflowFilter",
    "WorkflowHandle",
    "WorkflowHeldError",
    "WorkflowInput",
    "WorkflowName",
    "WorkflowNotFoundError",
    "WorkflowStateError",
    "WorkflowStatus",
    "WorkflowTimeoutError",
    "attempt",
    "authenticated_roles",
    "authenticated_user",
    "cancel_workflow",
    "cancel_workflow_async",
    "cancelled",
    "close_stream",
    "close_stream_async",
    "continue_as_new",
    "default_registry",
    "deprecate_patch",
    "enqueue",
    "enqueue_async",
    "enqueue_many",
    "enqueue_many_async",
    "get_all_events",
    "get_all_events_async",
    "get_event",
    "get_event_async",
    "idempotency_key",
    "is_replaying",
    "list_workflows",
    "list_workflows_async",
    "logger",
    "now",
    "patch",
    "publish_event",
    "publish_event_async",
    "publish_events",
    "publish_events_async",
    "random",
    "read_stream",
    "read_stream_async",
    "read_stream_items",
    "read_stream_items_async",
    "recv",
    "recv_async",
    "retrieve_workflow",
    "retrieve_workflow_async",
    "run_step",
    "run_step_async",
    "run_workflow",
    "run_workflow_async",
    "scheduled",
    "send",
    "send_async",
    "send_bulk",
    "send_bulk_async",
    "set_event",
    "set_event_async",
    "sleep",
    "sleep_async",
    "sleep_until",
    "sleep_until_async",
    "start_workflow",
    "start_workflow_async",
    "start_workflows",
    "start_workflows_async",
    "step",
    "step_id",
    "transaction",
    "uuid",
    "wait_all",
    "wait_all_async",
    "wait_event",
    "wait_event_async",
    "wait_first",
    "wait_first_async",
    "workflow",
    "workflow_id",
    "write_stream",
    "write_stream_async",
]
