"""`asgi_app`: an engine as an ASGI application."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import groupby

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from litewf.api.engine import Engine
from litewf.durations import Duration, duration_us
from litewf.serialization import JsonSerializer
from litewf.web.failures import failure
from litewf.web.resource import Resource
from litewf.web.routes import TABLE
from litewf.web.segments import Segments
from litewf.web.service import Service


def asgi_app(
    engine: Engine, *, token: str | None = None, max_body: int = 1_000_000, keep_alive: Duration = 15
) -> Starlette:
    """Serve an engine over HTTP: CloudEvents, workflows, messages, events, streams; `GET /openapi.json` lists it all.

    Run it with an ASGI server, which launches the engine and shuts it down, or mount it: `Mount("/flows", app)`; then
    launch the engine yourself. `token` is asked for as a bearer token by all routes but the health ones and the
    description. `max_body` is in bytes. `keep_alive` is how often an idle stream sends a comment.
    """
    _check(engine, token, max_body)
    keep_alive_us = duration_us(keep_alive, "keep_alive")
    if keep_alive_us == 0:
        raise ValueError("keep_alive must be more than 0 seconds")
    service = Service(
        engine,
        None if token is None else token.encode(),
        max_body,
        keep_alive_us / 1_000_000,
        JsonSerializer(engine.registry.types),
    )
    by_path = groupby(sorted(TABLE, key=lambda operation: operation.path), key=lambda operation: operation.path)
    app = Starlette(
        routes=[Route(path, Resource(service, list(operations))) for path, operations in by_path],
        middleware=[Middleware(Segments)],
        exception_handlers={HTTPException: _refused, Exception: _failed},
        lifespan=_running(engine),
    )
    app.router.redirect_slashes = False
    return app


def _check(engine: object, token: object, max_body: object) -> None:
    if not isinstance(engine, Engine):
        raise TypeError(f"asgi_app serves a litewf.Engine, not {type(engine).__name__}")
    if token is not None and not isinstance(token, str):
        raise TypeError(f"token is text, not {type(token).__name__}")
    if isinstance(token, str) and not re.fullmatch(r"[!-~]+", token):
        raise ValueError("token is printable ASCII without blanks")
    if isinstance(max_body, bool) or not isinstance(max_body, int) or max_body < 1:
        raise ValueError(f"max_body is a number of bytes, 1 or more, not {max_body!r}")


def _running(engine: Engine) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        """Run the engine as long as the server, unless somebody else runs it."""
        if engine.is_running:
            yield
        else:
            async with engine:
                yield

    return lifespan


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return failure(error.status_code, "NotFound", "there is nothing here", headers=error.headers)


async def _failed(_request: Request, _error: Exception) -> Response:
    """A fault of the program: the server logs it, the client learns nothing of its inside."""
    return failure(500, "InternalError", "litewf failed to answer; its log says why", retryable=True)
