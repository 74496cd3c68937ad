"""Workflows behind HTTP: one shows events, one waits for a message, one writes a stream.

    pip install 'litewf[models,web]'
    python server.py [FILE] [--port 8000] [--pace SECONDS]

Kill it when you like, in any way, and start it again: every workflow goes on from its last recorded step.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

import litewf

TOPIC = "notification"
STREAM = "progress_stream"
APPROVAL_TIMEOUT = 60.0  # seconds; a waiting workflow costs no more if it is a year
EVENT_TIMEOUT = 5.0  # seconds, unless the query says otherwise

parser = argparse.ArgumentParser(description="Workflows behind HTTP.")
parser.add_argument("file", nargs="?", default=os.environ.get("LITEWF_DB", "communication.db"))
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, default=8000)
parser.add_argument("--pace", type=float, default=0.5, help="how long the work of a step takes, in seconds")
arguments = parser.parse_args()
engine = litewf.Engine(arguments.file)


# --- the workflows ----------------------------------------------------------------------------------------------------


@litewf.step(max_retries=3)
async def fibonacci(n: int) -> dict[str, int]:
    await asyncio.sleep(arguments.pace)
    number, following = 0, 1
    for _ in range(n):
        number, following = following, number + following
    return {"n": n, "fibonacci": number}


@litewf.workflow
async def with_events(steps: int) -> list[dict[str, int]]:
    await litewf.set_event_async("status", "started")
    results = []
    for at in range(steps):
        await litewf.set_event_async("progress", 100 * at // steps)
        await litewf.set_event_async("status", f"processing_step_{at + 1}")
        results.append(await fibonacci(30 + at))
    await litewf.set_event_async("progress", 100)
    await litewf.set_event_async("status", "completed")
    total = sum(result["fibonacci"] for result in results)
    await litewf.set_event_async("result", {"total_steps": steps, "total_fibonacci": total})
    return results


@litewf.workflow
async def with_messaging(steps: int) -> dict[str, Any]:
    silence = {"approved": False, "reason": "no answer in time"}
    answer = await litewf.recv_async(TOPIC, timeout=APPROVAL_TIMEOUT, default=silence, as_type=dict[str, Any])
    if not answer.get("approved"):
        return {"status": "cancelled", "reason": answer.get("reason", "not approved"), "results": []}
    return {"status": "completed", "results": [await fibonacci(30 + at) for at in range(steps)]}


@litewf.workflow
async def with_streaming(steps: int) -> list[dict[str, int]]:
    results = []
    await tell("start", message=f"Workflow started with {steps} steps")
    for step in range(1, steps + 1):
        await tell("progress", step=step, total_steps=steps, message=f"Starting step {step}/{steps}")
        results.append(await fibonacci(29 + step))
        await tell("result", step=step, result=results[-1])
    await tell("complete", message="Workflow completed", total_results=steps)
    await litewf.close_stream_async(STREAM)
    return results


async def tell(kind: str, **fields: object) -> None:
    # litewf.now() is recorded: a replay finds the time of the first run
    await litewf.write_stream_async(STREAM, {"timestamp": litewf.now().timestamp(), "type": kind, **fields})


# --- the routes -------------------------------------------------------------------------------------------------------


async def start(workflow: Any, request: Request) -> str:
    """Start a workflow under the id in the path; the same id again finds the workflow that is there."""
    workflow_id: str = request.path_params["workflow_id"]
    await engine.start_workflow_async(workflow.with_options(workflow_id=workflow_id), request.path_params["steps"])
    return workflow_id


async def start_events(request: Request) -> JSONResponse:
    workflow_id = await start(with_events, request)
    events = f"/workflow-events/{workflow_id}"
    endpoints = {name: f"{events}/{name}" for name in ("progress", "status", "result")}
    return JSONResponse(
        {
            "workflow_id": workflow_id,
            "message": "Workflow started with events",
            "query_endpoints": {**endpoints, "all_events": f"{events}/all"},
        }
    )


async def start_messaging(request: Request) -> JSONResponse:
    workflow_id = await start(with_messaging, request)
    return JSONResponse(
        {
            "workflow_id": workflow_id,
            "message": "Workflow started, waiting for approval",
            "send_approval": f"/send-message/{workflow_id}",
        }
    )


async def start_streaming(request: Request) -> JSONResponse:
    workflow_id = await start(with_streaming, request)
    return JSONResponse(
        {
            "workflow_id": workflow_id,
            "message": "Workflow started with streaming",
            "read_stream": f"/workflow-stream/{workflow_id}",
        }
    )


async def get_event(request: Request) -> JSONResponse:
    workflow_id, key = request.path_params["workflow_id"], request.path_params["event_key"]
    timeout = float(request.query_params.get("timeout", EVENT_TIMEOUT))
    value: Any = await engine.get_event_async(workflow_id, key, timeout=timeout)  # woken when it is set, no polling
    return JSONResponse({"workflow_id": workflow_id, "event_key": key, "value": value})


async def get_all_events(request: Request) -> JSONResponse:
    workflow_id = request.path_params["workflow_id"]
    return JSONResponse({"workflow_id": workflow_id, "events": await engine.get_all_events_async(workflow_id)})


async def send_message(request: Request) -> JSONResponse:
    workflow_id, payload = request.path_params["workflow_id"], await request.json()
    if not isinstance(payload, dict):
        raise ValueError("a message is a JSON object")  # noqa: TRY004 - a 400, as for what is no JSON at all
    await engine.send_async(workflow_id, payload, topic=TOPIC)  # durable once this returns
    return JSONResponse({"workflow_id": workflow_id, "message": "Message sent", "payload": payload})


async def read_stream(request: Request) -> JSONResponse:
    workflow_id = request.path_params["workflow_id"]
    values: list[Any] = [value async for value in engine.read_stream_async(workflow_id, STREAM, follow=False)]
    return JSONResponse({"workflow_id": workflow_id, "stream_values": values, "total_messages": len(values)})


async def get_status(request: Request) -> JSONResponse:
    handle: litewf.WorkflowHandle[Any] = await engine.retrieve_workflow_async(request.path_params["workflow_id"])
    found = await handle.get_status_async()
    return JSONResponse(
        {
            "workflow_id": found.workflow_id,
            "status": found.status,
            "waiting_on": [waiting.what for waiting in found.waiting_on],
            "output": found.output,
        }
    )


def refusal(code: int) -> Callable[[Request, Exception], JSONResponse]:
    return lambda _request, error: JSONResponse({"detail": str(error)}, code)


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    async with engine:  # async workflows run on the loop of the server
        yield


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/start-workflow-events/{workflow_id}/{steps:int}", start_events, methods=["POST"]),
        Route("/start-workflow-messaging/{workflow_id}/{steps:int}", start_messaging, methods=["POST"]),
        Route("/start-workflow-streaming/{workflow_id}/{steps:int}", start_streaming, methods=["POST"]),
        Route("/send-message/{workflow_id}", send_message, methods=["POST"]),
        Route("/workflow-events/{workflow_id}/all", get_all_events),
        Route("/workflow-events/{workflow_id}/{event_key}", get_event),
        Route("/workflow-stream/{workflow_id}", read_stream),
        Route("/workflow-status/{workflow_id}", get_status),
    ],
    exception_handlers={
        litewf.WorkflowNotFoundError: refusal(404),
        litewf.WaitTimeoutError: refusal(404),
        litewf.WorkflowConflictError: refusal(409),
        ValueError: refusal(400),  # no JSON, a timeout that is no number, an id that cannot be one
    },
)

if __name__ == "__main__":
    uvicorn.run(app, host=arguments.host, port=arguments.port)
