"""Workflows over HTTP: start them, look at them, talk to them, steer them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from litewf.api.handle import WorkflowHandle
from litewf.api.named import workflow_named
from litewf.api.workflow import BaseWorkflow
from litewf.errors import EngineClosedError
from litewf.records import TERMINAL
from litewf.web import bodies
from litewf.web.failures import RETRY_AFTER_S, Json, Refusal, asking
from litewf.web.patience import while_there
from litewf.web.service import Call

PREFERRED_WAIT_S = 30.0  # of `Prefer: wait` without a number
MOST_LISTED = 1_000


# --- starting -----------------------------------------------------------------------------------------------------


async def start(call: Call) -> Response:
    """Start a workflow, and wait for its result if the client asks for that."""
    name = call.given["id"]  # before a workflow has an id, this part of the path is its name
    instance = call.given.get("instance")
    workflow = workflow_named(call.engine.registry, name, instance)
    if workflow is None:
        of = "" if instance is None else f" of {instance!r:.80}"
        raise Refusal(404, "UnknownWorkflow", f"no workflow {name!r:.80}{of} can be started by its name here")
    wait = _wait(call)
    body = await bodies.read(call.request, call.service.max_body)
    args, kwargs = await _arguments(call, body)
    with asking():
        workflow = _with_options(workflow, call)
    with asking(422, "InvalidArguments"):
        if len(body) > bodies.LARGE:
            handle = await asyncio.to_thread(call.engine.start_workflow, workflow, *args, **kwargs)
        else:
            handle = await call.engine.start_workflow_async(workflow, *args, **kwargs)
    where = f"{call.request.scope.get('root_path', '')}/workflows/{quote(handle.workflow_id, safe='')}"
    if wait is None:
        return Json({"workflow_id": handle.workflow_id}, 202, headers={"location": where})
    response = await _outcome(call, handle, wait)
    response.headers.update({"location": where, "preference-applied": "wait"})
    return response


def _wait(call: Call) -> float | None:
    if "wait" in call.given:
        return float(call.given["wait"])
    for preference in call.given.get("Prefer", "").lower().split(","):
        name, _, value = preference.strip().partition("=")
        if name.strip() == "wait":
            text = value.strip()
            if text and not (text.isascii() and text.isdecimal() and len(text) < 9):
                raise Refusal(400, "InvalidRequest", "Prefer: wait is in whole seconds, such as wait=10")
            return float(text) if text else PREFERRED_WAIT_S
    return None


async def _arguments(call: Call, body: bytes) -> tuple[list[Any], dict[str, Any]]:
    """The arguments: an object of keywords, or {"args": [...], "kwargs": {...}}; no body is no arguments."""
    if not body:
        return [], {}
    bodies.require_json(call.request)
    given = await bodies.json_apart(body)
    if not isinstance(given, dict):
        raise Refusal(422, "InvalidArguments", 'the arguments are a JSON object: {"name": value}, or {"args": [...]}')
    args, kwargs = given.get("args", []), given.get("kwargs", {})
    if given and given.keys() <= {"args", "kwargs"} and isinstance(args, list) and isinstance(kwargs, dict):
        return args, kwargs
    return [], given


def _with_options(workflow: BaseWorkflow[Any, Any], call: Call) -> Any:
    options: dict[str, Any] = {}
    for option, header in (("workflow_id", "Workflow-Id"), ("timeout", "Workflow-Timeout")):
        values = [call.given[name] for name in (option, header) if name in call.given]
        if len(values) == 2 and values[0] != values[1]:
            raise Refusal(400, "InvalidRequest", f"{option} in the query and the header {header} differ")
        if values:
            options[option] = values[0]
    return workflow.with_options(**options)  # type: ignore[attr-defined]  # both kinds of workflow have it


# --- results ------------------------------------------------------------------------------------------------------


async def result(call: Call) -> Response:
    """The result of a workflow, waiting for it if the client asks for that."""
    handle = await call.engine.retrieve_workflow_async(call.given["id"])
    return await _outcome(call, handle, call.given.get("timeout", 0.0))


async def _outcome(call: Call, handle: WorkflowHandle[Any], timeout_s: float) -> Response:
    await while_there(call.request, _ended(handle, timeout_s))
    status = await handle.get_status_async()
    if status.status in TERMINAL:
        return await asyncio.to_thread(lambda: Json(call.service.outcome(status)))
    if status.held is not None:
        raise Refusal(409, "WorkflowHeldError", f"workflow {status.workflow_id!r} is held: {status.held}")
    return Json(call.service.outcome(status), 202, headers={"retry-after": RETRY_AFTER_S})


async def _ended(handle: WorkflowHandle[Any], timeout_s: float) -> None:
    """Wait for the end of a workflow; how it ended, its status tells, and not an error of the user's raised here."""
    with suppress(BaseException):  # a workflow may have recorded any error, even one that would end this task
        await handle.get_result_async(timeout=timeout_s)


# --- looking ------------------------------------------------------------------------------------------------------


async def listing(call: Call) -> Response:
    """The workflows that match, page by page."""
    filters = {"limit": 100, "load_input": False, "load_output": False, **call.given}
    with asking():
        found = await call.engine.list_workflows_async(**filters)
    return await asyncio.to_thread(lambda: Json({"workflows": [call.service.status(one) for one in found]}))


async def status(call: Call) -> Response:
    """One workflow with all its fields."""
    handle = await call.engine.retrieve_workflow_async(call.given["id"])
    found = await handle.get_status_async()
    return await asyncio.to_thread(lambda: Json(call.service.status(found)))


async def steps(call: Call) -> Response:
    """What a workflow has recorded."""
    found = await call.engine.list_steps_async(call.given["id"])
    return await asyncio.to_thread(lambda: Json({"steps": [call.service.step(one) for one in found]}))


async def events(call: Call) -> Response:
    """Every event that a workflow has set."""
    found = await call.engine.get_all_events_async(call.given["id"])
    return await asyncio.to_thread(lambda: Json({"events": {key: call.service.shown(found[key]) for key in found}}))


async def event(call: Call) -> Response:
    """One event, waiting for it if the client asks for that."""
    with asking():
        getting = call.engine.get_event_async(
            call.given["id"], call.given["key"], timeout=call.given.get("timeout", 0.0)
        )

    async def got() -> Any:
        return await getting

    value = await while_there(call.request, got())
    return await asyncio.to_thread(lambda: Json({"value": call.service.shown(value)}))


# --- talking and steering -----------------------------------------------------------------------------------------


async def send(call: Call) -> Response:
    """Send a message to a workflow; any JSON value."""
    body = await bodies.read(call.request, call.service.max_body)
    bodies.require_json(call.request)
    message = await bodies.json_apart(body)
    what = (call.given["id"], message, call.given.get("topic"))
    key = call.given.get("Idempotency-Key")
    with asking():
        if len(body) > bodies.LARGE:
            await asyncio.to_thread(lambda: call.engine.send(*what, idempotency_key=key))
        else:
            await call.engine.send_async(*what, idempotency_key=key)
    return Json({"status": "accepted"}, 202)


async def cancel(call: Call) -> Response:
    """Cancel a workflow and its children; a finished one stays as it is."""
    await call.engine.cancel_workflow_async(call.given["id"])
    return await _steered(call)


async def resume(call: Call) -> Response:
    """Let a cancelled, given up or held workflow go on."""
    await call.engine.resume_workflow_async(call.given["id"])
    return await _steered(call)


async def _steered(call: Call) -> Response:
    handle = await call.engine.retrieve_workflow_async(call.given["id"])
    found = await handle.get_status_async()
    return Json({"workflow_id": found.workflow_id, "status": found.status})


# --- health -------------------------------------------------------------------------------------------------------


async def live(_call: Call) -> Response:
    """The process answers."""
    return Json({"status": "live"})


async def ready(call: Call) -> Response:
    """The engine runs, and its file can be read."""
    if not call.engine.is_running:
        raise EngineClosedError("the engine is not running")
    await call.engine.query_async("SELECT 1")
    return Json({"status": "ready"})
