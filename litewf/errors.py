"""Every error that litewf raises, as one tree.

    LitewfError
    ├── WorkflowNotFoundError              no workflow has this id (LookupError)
    ├── QueueNotFoundError                 no queue with this name is defined (LookupError)
    ├── ScheduleNotFoundError              no schedule with this name is in the file (LookupError)
    ├── WorkflowConflictError              the id belongs to another workflow
    ├── DuplicateWorkflowError             the id exists and the caller asked to reject that
    ├── WorkflowStateError                 the workflow's status forbids the call
    ├── WaitTimeoutError                   a wait reached its limit (TimeoutError)
    ├── WorkflowHeldError                  the workflow cannot go on with this code
    │   └── NonDeterminismError            its records do not match the code
    ├── StepRetriesExceededError           a step failed on each of its attempts
    ├── StepTimeoutError                   one attempt took too long (TimeoutError)
    ├── StepUncertainError                 the process died inside the body; it may have happened
    ├── WorkflowCancelledError             the awaited workflow was cancelled
    │   └── WorkflowTimeoutError           ... by its own deadline (TimeoutError)
    ├── MaxRecoveryAttemptsExceededError   the workflow killed its process too often
    ├── SerializationError                 a value cannot be stored and come back equal (TypeError)
    │   └── UnknownTypeError               a stored value names a class that this program lacks
    ├── PayloadError                       a value that arrived does not fit the type asked for (ValueError)
    ├── StreamClosedError                  a write to a stream that was closed
    ├── HistoryError                       a text that is no exported workflow (ValueError)
    ├── RegistrationError                  a definition that cannot be registered (ValueError)
    ├── NotInWorkflowError                 a durable call outside a workflow (RuntimeError)
    ├── BlockingCallError                  a blocking call where an event loop runs (RuntimeError)
    ├── UsageError                         a call that has no meaning where it was made (RuntimeError)
    ├── EngineClosedError                  the engine is not running (RuntimeError)
    ├── RemoteError                        a recorded error whose class this program lacks
    └── StoreError                         the file
        ├── StoreFullError                 no room on the disk, or over quota
        ├── StoreCorruptError              the file is damaged
        ├── StoreLockedError               another tool keeps the file locked
        ├── StoreMovedError                the file was moved, replaced or unlinked while open
        ├── StoreVersionError              written by a newer litewf, or SQLite is too old
        ├── StoreUnsupportedError          a file or a place that cannot hold a store
        └── OutcomeUnknownError            a commit raised: it may or may not have happened

A message says what happened, to which workflow and step, and what to do next.
"""

from __future__ import annotations

__all__ = [
    "BlockingCallError",
    "DuplicateWorkflowError",
    "EngineClosedError",
    "HistoryError",
    "LitewfError",
    "MaxRecoveryAttemptsExceededError",
    "NonDeterminismError",
    "NotInWorkflowError",
    "OutcomeUnknownError",
    "PayloadError",
    "QueueNotFoundError",
    "RegistrationError",
    "RemoteError",
    "ScheduleNotFoundError",
    "SerializationError",
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
    "UnknownTypeError",
    "UsageError",
    "WaitTimeoutError",
    "WorkflowCancelledError",
    "WorkflowConflictError",
    "WorkflowHeldError",
    "WorkflowNotFoundError",
    "WorkflowStateError",
    "WorkflowTimeoutError",
]


class LitewfError(Exception):
    """The base of every error that litewf raises."""


class WorkflowNotFoundError(LitewfError, LookupError):
    """No workflow has this id."""


class QueueNotFoundError(LitewfError, LookupError):
    """No queue with this name is defined."""


class QueuePriorityError(LitewfError, ValueError):
    """A priority was given on a queue that does not look at priorities."""


class ScheduleNotFoundError(LitewfError, LookupError):
    """There is no schedule with this name in this file."""


class WorkflowConflictError(LitewfError):
    """The id already belongs to a run of another workflow."""


class DuplicateWorkflowError(LitewfError):
    """The id exists already and the caller asked to reject that."""


class WorkflowStateError(LitewfError):
    """The workflow's status forbids the call."""


class WaitTimeoutError(LitewfError, TimeoutError):
    """A wait reached its limit before what it waited for came."""


class WorkflowHeldError(LitewfError):
    """The workflow is kept, unfinished, because this code cannot go on with it."""


class NonDeterminismError(WorkflowHeldError):
    """The records of the workflow do not match the calls that its code makes now."""


class StepRetriesExceededError(LitewfError):
    """A step failed on each of its attempts; `errors` holds the exception of every one, in order."""

    def __init__(self, message: str, errors: list[BaseException] | None = None) -> None:
        super().__init__(message)
        self.errors: list[BaseException] = errors or []


class StepTimeoutError(LitewfError, TimeoutError):
    """One attempt of a step took longer than its timeout."""


class StepUncertainError(LitewfError):
    """The process died inside the body of a step declared `on_uncertain="fail"`: it may have happened."""


class WorkflowCancelledError(LitewfError):
    """The workflow was cancelled before it ended."""


class WorkflowTimeoutError(WorkflowCancelledError, TimeoutError):
    """The workflow was cancelled because its deadline passed."""


class MaxRecoveryAttemptsExceededError(LitewfError):
    """The workflow's process died too often without a new checkpoint."""


class SerializationError(LitewfError, TypeError):
    """A value that cannot be stored and come back equal and of the same type."""


class UnknownTypeError(SerializationError):
    """A stored value names a class that this program has not loaded."""


class PayloadError(LitewfError, ValueError):
    """A value that arrived does not fit the type that was asked for."""


class StreamClosedError(LitewfError):
    """A write to a stream that was closed."""


class HistoryError(LitewfError, ValueError):
    """A text that is no exported workflow, or one that only a newer litewf can read."""


class RegistrationError(LitewfError, ValueError):
    """A definition that cannot be registered."""


class NotInWorkflowError(LitewfError, RuntimeError):
    """A durable call was made outside a workflow."""


class BlockingCallError(LitewfError, RuntimeError):
    """A blocking call was made in a thread whose event loop is running."""


class UsageError(LitewfError, RuntimeError):
    """A call that has no meaning where it was made."""


class EngineClosedError(LitewfError, RuntimeError):
    """The engine is not running."""


class RemoteError(LitewfError):
    """A recorded error whose class this program has not loaded; `type` is that class's name."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(f"{type}: {message}")
        self.type = type
        self.message = message


class StoreError(LitewfError):
    """Something is wrong with the file."""


class StoreFullError(StoreError):
    """There is no room for the file to grow."""


class StoreCorruptError(StoreError):
    """The file is damaged."""


class StoreLockedError(StoreError):
    """Another program keeps the file locked."""


class StoreMovedError(StoreError):
    """The file was moved, replaced or unlinked while it was open."""


class StoreVersionError(StoreError):
    """The file is from a newer litewf, or SQLite is too old to be trusted with it."""


class StoreUnsupportedError(StoreError):
    """A file, or a place for one, that cannot hold a store."""


class OutcomeUnknownError(StoreError):
    """A commit raised, so whether it happened is unknown until the file is read again."""
