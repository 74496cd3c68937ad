"""Bodies of requests: read up to a limit, and JSON taken strictly."""

from __future__ import annotations

import asyncio
import json
import math
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.requests import Request

from litewf.web.failures import Refusal

LARGE = 64_000  # bytes, from which on a body is worked on in a thread


class MediaType(NamedTuple):
    """What a Content-Type says: the type in lower case, and the charset."""

    name: str
    charset: str | None

    @property
    def is_json(self) -> bool:
        kind, _, subtype = self.name.partition("/")
        return subtype == "json" or (subtype.endswith("+json") and kind != "")


async def read(request: Request, most: int) -> bytes:
    """The body, of at most so many bytes, whatever the request says of its length."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise Refusal(415, "UnsupportedMediaType", f"send the body as it is, without Content-Encoding: {encoding:.40}")
    declared = _declared(request.headers)
    if declared is not None and declared > most:
        raise _too_large(most)
    chunks, length = [], 0
    async for chunk in request.stream():
        length += len(chunk)
        if length > most:
            raise _too_large(most)
        chunks.append(chunk)
    if declared is not None and declared != length:
        raise Refusal(400, "InvalidRequest", f"Content-Length says {declared}, but {length} bytes came")
    return b"".join(chunks)


def _declared(headers: Headers) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise Refusal(400, "InvalidRequest", "Content-Length is no number")
    return int(text)


def _too_large(most: int) -> Refusal:
    return Refusal(413, "PayloadTooLarge", f"the body is larger than {most} bytes", {"connection": "close"})


def media_type(headers: Headers) -> MediaType:
    """The Content-Type of a request; without one its name is empty."""
    given = headers.getlist("content-type")
    if len(given) > 1:
        raise Refusal(400, "InvalidRequest", "Content-Type stands twice")
    name, *parameters = (given[0] if given else "").split(";")
    charset = None
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "charset":
            charset = value.strip().strip('"').lower()
    return MediaType(name.strip().lower(), charset)


def require_json(request: Request) -> None:
    """Refuse a body that does not say that it is JSON; a form of another web site cannot say so."""
    media = media_type(request.headers)
    if not media.is_json or media.charset not in (None, "utf-8", "utf8", "us-ascii"):
        raise Refusal(415, "UnsupportedMediaType", "send JSON in UTF-8, with Content-Type: application/json")


def json_of(body: bytes) -> object:
    """A JSON value: UTF-8, no name twice in an object, no NaN, no number out of range."""
    try:
        return json.loads(
            body.decode(), object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        message = str(error) if isinstance(error, ValueError) else "nested too deep"
        raise Refusal(400, "InvalidJson", f"the body is no JSON: {message}") from None


async def json_apart(body: bytes) -> object:
    """A JSON value; a large one is read in a thread, so that the loop goes on."""
    return await asyncio.to_thread(json_of, body) if len(body) > LARGE else json_of(body)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r:.80} stands twice in an object")
    return found


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text:.40} is out of range")
    return number
