"""What the exit status of every command means, and which error leads to which: the one place that says so."""

from __future__ import annotations

import sys

from litewf.cli.advice import in_commands
from litewf.cli.text import printable
from litewf.errors import (
    DuplicateWorkflowError,
    LitewfError,
    OutcomeUnknownError,
    QueueNotFoundError,
    QueuePriorityError,
    ScheduleNotFoundError,
    SerializationError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    UsageError,
    WaitTimeoutError,
    WorkflowConflictError,
    WorkflowHeldError,
    WorkflowNotFoundError,
    WorkflowStateError,
)

DONE, NO, USAGE, NOT_FOUND, REFUSED, FILE, AGAIN, TIMEOUT, INTERRUPTED, UNREAD = 0, 1, 2, 3, 4, 5, 6, 7, 130, 141

MEANINGS = {
    DONE: "done",
    NO: "the answer is no: the workflow failed, something is wrong, a check did not hold",
    USAGE: "the command line is wrong; nothing was done",
    NOT_FOUND: "there is no such workflow, event, queue or schedule",
    REFUSED: "it is there, but its state forbids that: finished, held, the id or the path is taken",
    FILE: "the file: missing, damaged, no store, written by a newer litewf, not writable",
    AGAIN: "try again later: the file is locked, or the disk is full",
    TIMEOUT: "what was waited for did not come in time",
    INTERRUPTED: "interrupted",
    UNREAD: "nobody reads the answer to its end, as before head",
}

# the first that fits counts
STATUSES: tuple[tuple[type[BaseException], int], ...] = (
    (WorkflowNotFoundError, NOT_FOUND),
    (QueueNotFoundError, NOT_FOUND),
    (ScheduleNotFoundError, NOT_FOUND),
    (WaitTimeoutError, TIMEOUT),
    (StoreLockedError, AGAIN),
    (StoreFullError, AGAIN),
    (OutcomeUnknownError, AGAIN),
    (StoreError, FILE),
    (WorkflowConflictError, REFUSED),
    (DuplicateWorkflowError, REFUSED),
    (WorkflowStateError, REFUSED),
    (WorkflowHeldError, REFUSED),
    (QueuePriorityError, USAGE),
    (UsageError, USAGE),
    (SerializationError, USAGE),
    (LitewfError, NO),
)


class Failure(Exception):  # noqa: N818 - not an error of litewf: an end of a command
    """The end of a command with one line and an exit status."""

    def __init__(self, message: str, status: int = NO) -> None:
        super().__init__(message)
        self.status = status


def status_of(error: Exception) -> int | None:
    """The exit status for an error; None if it is not one that commands expect."""
    if isinstance(error, Failure):
        return error.status
    return next((status for kind, status in STATUSES if isinstance(error, kind)), None)


def complain(error: object) -> None:
    """Say on the error stream, in one line, what went wrong."""
    text = in_commands(str(error)) if isinstance(error, LitewfError) else str(error)
    sys.stderr.write(f"litewf: {printable(' '.join(text.split()))}\n")
