"""Clients of the application: whole requests, and visitors who stay, look at each part, and go away.

They speak ASGI, so the same application runs here as under a server, and a test can send what no server would let
through.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx

from tests.stage import PATIENCE_S

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"


class Site:
    """The application, for whole requests."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self.ask(method, path, **options))

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here", timeout=PATIENCE_S) as client:
            return await client.request(method, path, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self("POST", path, **options)

    def publish(self, *, path: str = "/events", content: bytes | None = None, **event: Any) -> httpx.Response:
        """Send an event in structured mode; what it must have is there unless given otherwise."""
        body = json.dumps(whole(**event)).encode() if content is None else content
        return self.post(path, content=body, headers={"content-type": STRUCTURED})


def whole(**event: Any) -> dict[str, Any]:
    """An event that lacks nothing."""
    return {"specversion": "1.0", "type": "paid", "source": "shop", "id": "1", **event}


class Visitor:
    """One request, sent in parts, whose answer is read in parts."""

    def __init__(
        self, app: Any, method: str, path: str, headers: Sequence[tuple[str, str]] = (), parts: Sequence[bytes] = (b"",)
    ) -> None:
        route, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
            "method": method, "scheme": "http", "path": route, "raw_path": route.encode(), "root_path": "",
            "query_string": query.encode(), "server": ("here", 80), "client": ("there", 1),
            "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in headers],
        }  # fmt: skip
        self._coming: asyncio.Queue[Any] = asyncio.Queue()
        self._going: asyncio.Queue[Any] = asyncio.Queue()
        for at, part in enumerate(parts, 1):
            self._coming.put_nowait({"type": "http.request", "body": part, "more_body": at < len(parts)})
        self.task = asyncio.ensure_future(app(scope, self._coming.get, self._going.put))

    async def part(self) -> Any:
        """The next part of the answer, or the error that there was instead."""
        getting = asyncio.ensure_future(self._going.get())
        await asyncio.wait({getting, self.task}, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        if not getting.done():
            getting.cancel()
            assert self.task.done(), "no answer came"
            self.task.result()
        return await getting

    async def status(self) -> int:
        return (await self.part())["status"]

    async def text(self) -> str:
        """The next part of the body; empty at its end."""
        return (await self.part()).get("body", b"").decode()

    async def rest(self) -> str:
        """All that comes until the end."""
        parts = []
        while True:
            part = await self.part()
            parts.append(part.get("body", b"").decode())
            if not part.get("more_body"):
                return "".join(parts)

    def leave(self) -> None:
        """Go away."""
        self._coming.put_nowait({"type": "http.disconnect"})

    async def over(self) -> None:
        """Wait until the application is done with this request."""
        await asyncio.wait_for(self.task, PATIENCE_S)
