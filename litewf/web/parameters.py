"""What stands in the query, the headers and the path of a request: declared once, read and described from that."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote

from starlette.requests import Request

from litewf.durations import LONGEST_S
from litewf.records import STATUSES
from litewf.web.bodies import json_of
from litewf.web.failures import Refusal


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of value: its JSON schema, and how its text is read; ValueError says what it should be."""

    schema: Mapping[str, Any]
    read: Callable[[str], Any]


def _seconds(text: str) -> float:
    number = float(text) if text.isascii() else math.nan
    if not 0 <= number <= LONGEST_S:
        raise ValueError("seconds, 0 or more")
    return number


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("true or false")
    return text == "true"


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time with its offset, such as 2030-01-31T12:00:00Z")
    return moment


def _status(text: str) -> str:
    if text not in STATUSES:
        raise ValueError(f"one of {', '.join(STATUSES)}")
    return text


def _mapping(text: str) -> dict[str, object]:
    try:
        found = json_of(text.encode("utf-8", "surrogatepass"))
    except Refusal as refusal:
        raise ValueError("a JSON object") from refusal
    if not isinstance(found, dict):
        raise ValueError("a JSON object")  # noqa: TRY004 - its text has the wrong form
    return found


def whole(most: int) -> Kind:
    """A whole number from 0 on."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= most):
            raise ValueError(f"a whole number from 0 to {most}")
        return int(text)

    return Kind({"type": "integer", "minimum": 0, "maximum": most}, read)


TEXT = Kind({"type": "string"}, str)
SECONDS = Kind({"type": "number", "minimum": 0, "maximum": LONGEST_S}, _seconds)
FLAG = Kind({"type": "boolean"}, _flag)
MOMENT = Kind({"type": "string", "format": "date-time"}, _moment)
STATUS = Kind({"type": "string", "enum": list(STATUSES)}, _status)
MAPPING = Kind({"type": "string", "contentMediaType": "application/json"}, _mapping)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value that a request may carry; `many` may stand several times."""

    name: str
    kind: Kind
    description: str
    place: Literal["query", "header", "path"] = "query"
    many: bool = False

    def read(self, texts: Sequence[str]) -> Any:
        """The value, or the values."""
        if len(texts) > 1 and not self.many:
            raise Refusal(400, "InvalidRequest", f"{self.name} stands {len(texts)} times")
        try:
            values = [self.kind.read(text) for text in texts]
        except ValueError as error:
            raise Refusal(400, "InvalidRequest", f"{self.name} is not readable: {error}") from None
        return values if self.many else values[0]

    def as_openapi(self) -> dict[str, Any]:
        """Its description."""
        schema = {"type": "array", "items": dict(self.kind.schema)} if self.many else dict(self.kind.schema)
        return {
            "name": self.name, "in": self.place, "required": self.place == "path", "schema": schema,
            "description": self.description,
        }  # fmt: skip


def read_all(request: Request, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """The values that a request carries, by name; a query that nobody reads is refused."""
    known = {parameter.name for parameter in parameters if parameter.place == "query"}
    for name in request.query_params:
        if name not in known:
            raise Refusal(400, "InvalidRequest", f"there is no parameter {name!r:.80} here")
    found = ((parameter, _texts(request, parameter)) for parameter in parameters)
    return {parameter.name: parameter.read(texts) for parameter, texts in found if texts}


def _texts(request: Request, parameter: Parameter) -> list[str]:
    if parameter.place == "query":
        return request.query_params.getlist(parameter.name)
    if parameter.place == "header":
        given = request.headers.getlist(parameter.name)
        return [", ".join(given)] if given else []  # lines of one name are one value
    return [unquote(request.path_params[parameter.name])]  # see segments.py
