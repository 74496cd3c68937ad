"""The OpenAPI description of the application, made from the table of its routes, so that they cannot drift apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from litewf.web import schemas
from litewf.web.resource import Operation, Reply

ABOUT = (
    "Durable workflows over HTTP. Values are shown as the JSON that litewf records, without its type tags: a dataclass"
    " as its fields, a datetime as ISO text, bytes as Base64. An error says whether the same request may succeed later."
)
INVALID = Reply(400, "The request cannot be read.", schemas.FAILURE)
NOT_ALLOWED = Reply(401, "A bearer token is needed.", schemas.FAILURE)
ELSEWHERE = Reply(403, "Another web site made a browser ask.", schemas.FAILURE)
UNAVAILABLE = Reply(503, "The engine is closed, or its file is full or locked.", schemas.FAILURE)


def document(table: Sequence[Operation], root: str, *, secured: bool) -> dict[str, Any]:
    """The whole description; `root` is where the application is mounted."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in table:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, secured=secured)
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "litewf", "version": "1", "description": ABOUT},
        "servers": [{"url": root}],
        "paths": paths,
    }
    if secured:
        found["components"] = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
    return found


def _operation(operation: Operation, *, secured: bool) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [parameter.as_openapi() for parameter in operation.parameters],
        "responses": {str(reply.status): _reply(reply) for reply in _replies(operation, secured=secured)},
    }
    if operation.body:
        content = {media: {"schema": dict(schema)} for media, schema in operation.body.items()}
        described["requestBody"] = {"content": content, "required": operation.body_required}
    if secured and not operation.is_open:
        described["security"] = [{"token": []}]
    return described


def _replies(operation: Operation, *, secured: bool) -> list[Reply]:
    replies = [*operation.replies, INVALID, UNAVAILABLE]
    if secured and not operation.is_open:
        replies.append(NOT_ALLOWED)
    if not secured and operation.method == "POST":
        replies.append(ELSEWHERE)
    return replies


def _reply(reply: Reply) -> dict[str, Any]:
    described: dict[str, Any] = {"description": reply.meaning}
    if reply.schema is not None:
        described["content"] = {reply.media_type: {"schema": dict(reply.schema)}}
    return described
