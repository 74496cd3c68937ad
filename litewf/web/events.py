"""CloudEvents come in: answered with 202 once they, their deduplication keys and their deliveries are committed."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from litewf.web import bodies
from litewf.web.failures import Json, asking
from litewf.web.incoming import events_of
from litewf.web.service import Call

ACCEPTED = {"status": "accepted"}


async def receive(call: Call) -> Response:
    """Accept one event, or a batch of them in one commit; a duplicate is answered like the first."""
    body = await bodies.read(call.request, call.service.max_body)
    if len(body) > bodies.LARGE:
        await asyncio.to_thread(_accept, call, body)
    else:
        events = events_of(call.request.headers, body)
        with asking(error_type="InvalidCloudEvent"):
            accepting = call.engine.publish_events_async(events)
        await accepting
    return Json(ACCEPTED, 202)


def _accept(call: Call, body: bytes) -> None:
    events = events_of(call.request.headers, body)
    with asking(error_type="InvalidCloudEvent"):
        call.engine.publish_events(events)
