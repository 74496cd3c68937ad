"""What every handler needs: the engine, the limits, and how values are shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request

from litewf.api.engine import Engine
from litewf.errors import RemoteError, SerializationError
from litewf.records import StepInfo, Waiting, WorkflowInput, WorkflowStatus
from litewf.serialization import JsonSerializer
from litewf.serialization.plain import plain
from litewf.serialization.refusal import short_repr, type_name


@dataclass(frozen=True, slots=True)
class Service:
    """An engine as it is served."""

    engine: Engine
    token: bytes | None
    max_body: int
    keep_alive_s: float
    serializer: JsonSerializer

    def shown(self, value: object) -> object:
        """A value as the JSON that litewf records, without its tags; what it cannot record, as its repr."""
        try:
            return plain(self.serializer.encode(value)[0])
        except SerializationError:
            return short_repr(value)

    def status(self, status: WorkflowStatus) -> dict[str, object]:
        """A workflow with all its fields."""
        return {field.name: self._field(getattr(status, field.name), field.name) for field in fields(status)}

    def step(self, step: StepInfo) -> dict[str, object]:
        """A step with all its fields."""
        return {field.name: self._field(getattr(step, field.name), field.name) for field in fields(step)}

    def outcome(self, status: WorkflowStatus) -> dict[str, object]:
        """How a workflow ended, if it has."""
        names = ("workflow_id", "status", "output", "error")
        return {name: self._field(getattr(status, name), name) for name in names}

    def _field(self, value: Any, name: str) -> object:
        if name == "output":
            return self.shown(value)
        if isinstance(value, WorkflowInput):
            return {"args": self.shown(list(value.args)), "kwargs": self.shown(dict(value.kwargs))}
        if isinstance(value, BaseException):
            return _error(value)
        if name == "waiting_on":
            return [_waiting(wait) for wait in value]
        return _scalar(value)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, with what stands in its query, its headers and its path."""

    service: Service
    request: Request
    given: Mapping[str, Any]

    @property
    def engine(self) -> Engine:
        return self.service.engine


def _error(error: BaseException) -> dict[str, str]:
    if isinstance(error, RemoteError):
        return {"type": error.type, "message": error.message}
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything
        message = short_repr(error)
    return {"type": type_name(type(error)), "message": message}


def _waiting(wait: Waiting) -> dict[str, object]:
    return {"step_id": wait.step_id, "what": wait.what, "until": _scalar(wait.until)}


def _scalar(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value
