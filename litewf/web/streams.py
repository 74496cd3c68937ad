"""The streams of workflows as server-sent events: each value with its offset as id, to go on from after a break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from litewf.errors import EngineClosedError, LitewfError
from litewf.records import StreamItem
from litewf.web.failures import Refusal, as_json, asking
from litewf.web.patience import left, withdraw
from litewf.web.service import Call, Service

ENDED = "end"  # the id of the last event: who comes back with it has seen everything
LONGEST_ID = 18


async def read(call: Call) -> Response:
    """Follow a stream from an offset on."""
    given = call.given
    last = given.get("Last-Event-ID", "")
    await call.engine.retrieve_workflow_async(given["id"])
    if last == ENDED:
        return Response(status_code=204)  # tells a browser to stop coming back
    offset = given.get("offset", 0) if not last else _after(last)
    with asking():
        items = call.engine.read_stream_items_async(
            given["id"], given["key"], offset=offset, follow=given.get("follow", True),
            recorded_only=given.get("recorded_only", False),
        )  # fmt: skip
    return ServerSentEvents(call.service, items)


def _after(last: str) -> int:
    if not (last.isascii() and last.isdecimal() and len(last) <= LONGEST_ID):
        raise Refusal(400, "InvalidRequest", "Last-Event-ID is the id of no value of this stream")
    return int(last) + 1


class ServerSentEvents(Response):
    """Values as they come; ends with the stream, when the client goes away, and when the engine closes."""

    media_type = "text/event-stream"

    def __init__(self, service: Service, items: AsyncIterator[StreamItem[object]]) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        del self.headers["content-length"]
        self._service = service
        self._items = items
        self._next: asyncio.Task[StreamItem[object] | None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        if scope["method"] != "HEAD":
            leaving = asyncio.create_task(left(receive))
            try:
                async for event in self._events(leaving):
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            finally:
                await withdraw(leaving, *([] if self._next is None else [self._next]))
        await send({"type": "http.response.body", "body": b""})

    async def _events(self, leaving: asyncio.Task[None]) -> AsyncIterator[bytes]:
        try:
            while True:
                self._next = asyncio.create_task(self._item())
                async for comment in self._kept_alive(self._next, leaving):
                    yield comment
                if not self._next.done():
                    return  # nobody is there any more
                item = self._next.result()
                if item is None:
                    yield f"event: end\nid: {ENDED}\ndata: null\n\n".encode()
                    return
                yield b"id: %d\ndata: %b\n\n" % (item.offset, as_json(self._service.shown(item.value)))
        except EngineClosedError:
            return  # the stream goes on: a client comes back and resumes
        except LitewfError as error:
            text = as_json({"error": str(error), "error_type": type(error).__name__, "retryable": False})
            yield b"event: error\ndata: %b\n\n" % text

    async def _item(self) -> StreamItem[object] | None:
        return await anext(self._items, None)

    async def _kept_alive(
        self, coming: asyncio.Task[StreamItem[object] | None], leaving: asyncio.Task[None]
    ) -> AsyncIterator[bytes]:
        """Wait for a value; a comment now and then keeps proxies and clients from giving up."""
        while not coming.done() and not leaving.done():
            done, _ = await asyncio.wait(
                {coming, leaving}, timeout=self._service.keep_alive_s, return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                yield b": nothing new\n\n"
