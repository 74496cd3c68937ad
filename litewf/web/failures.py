"""What a client is told when something cannot be done: a status, and a JSON body that says whether to try again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from litewf.errors import (
    DuplicateWorkflowError,
    EngineClosedError,
    LitewfError,
    OutcomeUnknownError,
    PayloadError,
    SerializationError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    WaitTimeoutError,
    WorkflowConflictError,
    WorkflowHeldError,
    WorkflowNotFoundError,
    WorkflowStateError,
)

RETRY_AFTER_S = "1"
# The first row that fits: the status, and whether the same request may succeed later.
STATUSES: tuple[tuple[tuple[type[LitewfError], ...], int, bool], ...] = (
    ((WorkflowNotFoundError,), 404, False),
    ((WaitTimeoutError,), 404, True),
    ((WorkflowConflictError, DuplicateWorkflowError, WorkflowStateError, WorkflowHeldError), 409, False),
    ((PayloadError, SerializationError), 422, False),
    ((EngineClosedError, StoreFullError, StoreLockedError, OutcomeUnknownError), 503, True),
    ((StoreError,), 503, False),
)


class Refusal(Exception):  # noqa: N818 - an answer, not a fault of the program
    """A request that is answered with an error."""

    def __init__(self, status: int, error_type: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error_type = error_type
        self.headers = headers


class Json(Response):
    """A reply of JSON; what UTF-8 cannot hold is escaped."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return as_json(content)


def as_json(content: object) -> bytes:
    """One line of JSON."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")  # a lone surrogate becomes its JSON escape


def failure(
    status: int, error_type: str, message: str, *, retryable: bool = False, headers: Mapping[str, str] | None = None
) -> Json:
    """An error as a reply."""
    body = {"error": message, "error_type": error_type, "retryable": retryable}
    extra = {"retry-after": RETRY_AFTER_S} if status == 503 and retryable else {}
    return Json(body, status, headers={**extra, **(headers or {})})


def answer(error: Exception) -> Response | None:
    """The reply to a request that raised; None for what is the program's own fault."""
    if isinstance(error, Refusal):
        return failure(error.status, error.error_type, str(error), headers=error.headers)
    if isinstance(error, ClientDisconnect):
        return Response(status_code=400)  # nobody reads it
    for kinds, status, retryable in STATUSES:
        if isinstance(error, kinds):
            return failure(status, type(error).__name__, str(error), retryable=retryable)
    return None


@contextmanager
def asking(status: int = 400, error_type: str = "InvalidRequest") -> Iterator[None]:
    """What the engine refuses as a wrong argument, the client has sent."""
    try:
        yield
    except LitewfError:
        raise
    except (TypeError, ValueError) as error:
        raise Refusal(status, error_type, str(error)) from None
