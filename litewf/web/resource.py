"""One path of the application: its methods, who may use them, and what their errors look like."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from litewf.web import failures, guard, parameters
from litewf.web.failures import Refusal
from litewf.web.parameters import Parameter
from litewf.web.service import Call, Service

Handle = Callable[[Call], Awaitable[Response]]
Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One way in which an operation is answered: a status, what it means, and a body's media type and schema."""

    status: int
    meaning: str
    schema: Schema | None = None
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: what does it, and everything that its description says."""

    method: str
    path: str
    name: str
    summary: str
    handle: Handle
    replies: Sequence[Reply]
    parameters: Sequence[Parameter] = ()
    body: Mapping[str, Schema] = field(default_factory=dict)  # media type → schema
    body_required: bool = False
    is_open: bool = False  # no token is asked for


class Resource:
    """All operations of a path, as an ASGI application."""

    def __init__(self, service: Service, operations: Sequence[Operation]) -> None:
        self._service = service
        self._operations = {operation.method: operation for operation in operations}
        if "GET" in self._operations:
            self._operations["HEAD"] = self._operations["GET"]
        self._is_open = all(operation.is_open for operation in operations)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        try:
            response = await self._answer(request)
        except Exception as error:
            reply = failures.answer(error)
            if reply is None:
                raise
            response = reply
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if not self._is_open:
            guard.check(request, self._service.token)
        operation = self._operations.get(request.method)
        if operation is None:
            allowed = ", ".join(sorted(self._operations))
            raise Refusal(405, "MethodNotAllowed", f"only {allowed} here", {"allow": allowed})
        given = parameters.read_all(request, operation.parameters)
        return await operation.handle(Call(self._service, request, given))
