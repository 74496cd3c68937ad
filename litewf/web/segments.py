"""Paths whose parts may hold a slash: `/workflows/order%2F1` is the workflow `order/1`."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send


class Segments:
    """Keeps %2F and %25 in the path for the routes to match; whoever reads a part of it decodes them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = {**scope, "path": _kept(scope["path"], scope.get("raw_path"))}
        await self._app(scope, receive, send)


def _kept(path: str, raw: bytes | None) -> str:
    if raw is not None:
        text = raw.decode("latin-1").partition("?")[0]
        if unquote(text) == path:
            return unquote(text.replace("%25", "%2525").replace("%2F", "%252F").replace("%2f", "%252F"))
    return path.replace("%", "%25")
