"""What bodies look like, as JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from litewf.records import STATUSES, StepInfo, WorkflowStatus

ANYTHING: dict[str, Any] = {}
TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": ["string", "null"]}
TIME = {"type": "string", "format": "date-time"}
WHOLE = {"type": "integer"}
ERROR = {
    "anyOf": [
        {"type": "object", "required": ["type", "message"], "properties": {"type": TEXT, "message": TEXT}},
        {"type": "null"},
    ]
}
KNOWN = {
    "workflow_id": TEXT, "name": TEXT, "status": {"type": "string", "enum": list(STATUSES)}, "created_at": TIME,
    "updated_at": TIME, "waiting_on": {"type": "array"}, "attributes": {"type": "object"}, "error": ERROR,
    "held": TEXT_OR_NULL, "attempts": WHOLE, "generation": WHOLE, "step_id": TEXT,
    "authenticated_roles": {"type": "array", "items": TEXT},
}  # fmt: skip


def record(names: Iterable[str]) -> dict[str, Any]:
    """An object that has all of these."""
    listed = list(names)
    return {"type": "object", "required": listed, "properties": {name: KNOWN.get(name, ANYTHING) for name in listed}}


def of(**properties: Any) -> dict[str, Any]:
    """An object that has all of these, with their schemas."""
    return {"type": "object", "required": list(properties), "properties": properties}


WORKFLOW = record(field.name for field in fields(WorkflowStatus))
STEP = record(field.name for field in fields(StepInfo))
OUTCOME = record(("workflow_id", "status", "output", "error"))
STEERED = record(("workflow_id", "status"))
FAILURE = of(error=TEXT, error_type=TEXT, retryable={"type": "boolean"})
ACCEPTED = of(status={"const": "accepted"})

SENT_EVENT = {"type": "object", "required": ["data"], "properties": {"event": TEXT, "id": TEXT, "data": TEXT}}

ATTRIBUTE = {"type": "string", "minLength": 1, "maxLength": 2048}
CLOUD_EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"}, "id": ATTRIBUTE, "source": ATTRIBUTE, "type": ATTRIBUTE,
        "time": TIME, "subject": ATTRIBUTE, "datacontenttype": {"type": "string", "examples": ["application/json"]},
        "dataschema": ATTRIBUTE, "data": ANYTHING, "data_base64": {"type": "string", "contentEncoding": "base64"},
    },
    "patternProperties": {"^[a-z0-9]+$": ANYTHING},
    "additionalProperties": False,
}  # fmt: skip
ARGUMENTS = {
    "type": "object",
    "description": 'The arguments by name; or {"args": [...], "kwargs": {...}}, to give some by position.',
}
