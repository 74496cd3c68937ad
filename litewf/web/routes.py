"""Every route, one table: what answers it, and what the description of the application says of it."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from litewf.web import events, openapi, schemas, streams, workflows
from litewf.web.failures import Json
from litewf.web.incoming import BATCHED, STRUCTURED
from litewf.web.parameters import FLAG, MAPPING, MOMENT, SECONDS, STATUS, TEXT, Parameter, whole
from litewf.web.resource import Operation, Reply
from litewf.web.service import Call

ID = Parameter("id", TEXT, "The id of the workflow; a slash in it is written %2F.", "path")
KEY = Parameter("key", TEXT, "The name that the workflow gave it.", "path")
TIMEOUT = Parameter("timeout", SECONDS, "How long to wait for it; by default not at all.")
JSON = "application/json"

NOT_FOUND = Reply(404, "There is no such workflow.", schemas.FAILURE)
CONFLICT = Reply(409, "The workflow's state forbids it, or the id belongs to another workflow.", schemas.FAILURE)
TOO_LARGE = Reply(413, "The body is too large.", schemas.FAILURE)
UNUSABLE = Reply(415, "The media type is not understood here.", schemas.FAILURE)
UNFIT = Reply(422, "The JSON is well-formed, but does not fit.", schemas.FAILURE)
ENDED = Reply(200, "It has ended; how, its status says.", schemas.OUTCOME)
NOT_YET = Reply(202, "It has not ended yet.", schemas.OUTCOME)

LIST_FILTERS = (
    Parameter("name", TEXT, "Of this workflow function; may stand several times.", many=True),
    Parameter("status", STATUS, "In this status; may stand several times.", many=True),
    Parameter("workflow_ids", TEXT, "With this id; may stand several times.", many=True),
    Parameter("workflow_id_prefix", TEXT, "With an id that begins so."),
    Parameter("held", FLAG, "Held, or not."),
    Parameter("parent_id", TEXT, "Started by this workflow."),
    Parameter("forked_from", TEXT, "Forked from this workflow."),
    Parameter("user", TEXT, "Started for this user."),
    Parameter("application_version", TEXT, "Started with this version."),
    Parameter("executor_id", TEXT, "In the memory of this engine now."),
    Parameter("attributes", MAPPING, "With these attributes: a JSON object."),
    Parameter("start_time", MOMENT, "Created then or later."),
    Parameter("end_time", MOMENT, "Created before."),
    Parameter("completed_after", MOMENT, "Ended then or later."),
    Parameter("completed_before", MOMENT, "Ended before."),
    Parameter("limit", whole(workflows.MOST_LISTED), "At most so many; 100 unless given."),
    Parameter("offset", whole(1 << 31), "Leave out so many."),
    Parameter("sort_desc", FLAG, "The newest first."),
    Parameter("load_input", FLAG, "With the arguments."),
    Parameter("load_output", FLAG, "With results and errors."),
)


async def describe(call: Call) -> Response:
    """The description of the application."""
    root = call.request.scope.get("root_path", "")
    return Json(openapi.document(TABLE, root or "/", secured=call.service.token is not None))


def _get(path: str, name: str, summary: str, handle: Any, *replies: Reply, **more: Any) -> Operation:
    return Operation("GET", path, name, summary, handle, replies, **more)


def _post(path: str, name: str, summary: str, handle: Any, *replies: Reply, **more: Any) -> Operation:
    return Operation("POST", path, name, summary, handle, replies, **more)


def _accepting(path: str, name: str) -> Operation:
    return _post(
        path, name, "Accept one CloudEvent or a batch; 202 means that it is durable.", events.receive,
        Reply(202, "Every event is stored, or was before.", schemas.ACCEPTED), TOO_LARGE, UNUSABLE, UNFIT,
        body={
            STRUCTURED: schemas.CLOUD_EVENT,
            BATCHED: {"type": "array", "items": schemas.CLOUD_EVENT},
            JSON: schemas.ANYTHING,
        },
    )  # fmt: skip


TABLE: tuple[Operation, ...] = (
    _accepting("/", "postEvent"),
    _accepting("/events", "publishEvent"),
    _get(
        "/workflows", "listWorkflows", "The workflows that match, the oldest first.", workflows.listing,
        Reply(200, "The workflows.", schemas.of(workflows={"type": "array", "items": schemas.WORKFLOW})),
        parameters=LIST_FILTERS,
    ),
    _post(
        "/workflows/{id}", "startWorkflow", "Start a workflow by the name of its function.", workflows.start,
        ENDED, Reply(202, "It is started, and durable.", schemas.record(("workflow_id",))),
        Reply(404, "There is no such workflow function.", schemas.FAILURE), CONFLICT, TOO_LARGE, UNUSABLE, UNFIT,
        parameters=(
            Parameter("id", TEXT, "The name of the workflow function.", "path"),
            Parameter("instance", TEXT, "Of a method: the name of its object, as registry.instance() gave it."),
            Parameter("workflow_id", TEXT, "Its id: starting again with it attaches to what is there."),
            Parameter("Workflow-Id", TEXT, "The same, as a header.", "header"),
            Parameter("timeout", SECONDS, "How long the workflow may take."),
            Parameter("Workflow-Timeout", SECONDS, "The same, as a header.", "header"),
            Parameter("wait", SECONDS, "Wait so long for the result."),
            Parameter("Prefer", TEXT, "wait=<seconds>: wait so long for the result (RFC 7240).", "header"),
        ),
        body={JSON: schemas.ARGUMENTS},
    ),
    _get(
        "/workflows/{id}", "getWorkflow", "One workflow.", workflows.status,
        Reply(200, "The workflow.", schemas.WORKFLOW), NOT_FOUND, parameters=(ID,),
    ),
    _get(
        "/workflows/{id}/steps", "listSteps", "What a workflow has recorded.", workflows.steps,
        Reply(200, "The steps.", schemas.of(steps={"type": "array", "items": schemas.STEP})), NOT_FOUND,
        parameters=(ID,),
    ),
    _get(
        "/workflows/{id}/result", "getResult", "The result of a workflow, or its error.", workflows.result,
        ENDED, NOT_YET, NOT_FOUND, CONFLICT, parameters=(ID, TIMEOUT),
    ),
    _post(
        "/workflows/{id}/cancel", "cancelWorkflow", "Cancel a workflow and its children.", workflows.cancel,
        Reply(200, "Its status now.", schemas.STEERED), NOT_FOUND, parameters=(ID,),
    ),
    _post(
        "/workflows/{id}/resume", "resumeWorkflow", "Let a cancelled, given up or held workflow go on.",
        workflows.resume, Reply(200, "Its status now.", schemas.STEERED), NOT_FOUND, CONFLICT, parameters=(ID,),
    ),
    _post(
        "/workflows/{id}/messages", "sendMessage", "Send a message: any JSON value.", workflows.send,
        Reply(202, "The message is durable.", schemas.ACCEPTED), NOT_FOUND, TOO_LARGE, UNUSABLE, UNFIT,
        parameters=(
            ID, Parameter("topic", TEXT, "The topic on which the workflow receives it."),
            Parameter("Idempotency-Key", TEXT, "Sending again with the same key does nothing.", "header"),
        ),
        body={JSON: schemas.ANYTHING}, body_required=True,
    ),
    _get(
        "/workflows/{id}/events", "listEvents", "Every event that a workflow has set.", workflows.events,
        Reply(200, "The latest values by key.", schemas.of(events={"type": "object"})), NOT_FOUND, parameters=(ID,),
    ),
    _get(
        "/workflows/{id}/events/{key}", "getEvent", "One event of a workflow.", workflows.event,
        Reply(200, "Its latest value.", schemas.of(value=schemas.ANYTHING)),
        Reply(404, "There is no such workflow, or the event was not set in time (retryable).", schemas.FAILURE),
        parameters=(ID, KEY, TIMEOUT),
    ),
    _get(
        "/workflows/{id}/streams/{key}", "readStream", "The values of a stream, as server-sent events.", streams.read,
        Reply(200, "The values, with offsets as ids; last `event: end`.", schemas.SENT_EVENT, "text/event-stream"),
        Reply(204, "The client has seen the end."), NOT_FOUND,
        parameters=(
            ID, KEY,
            Parameter("offset", whole(1 << 53), "Begin with this value; 0 unless given."),
            Parameter("follow", FLAG, "false: what is there now, instead of all that comes."),
            Parameter("recorded_only", FLAG, "Without what attempts of a step wrote that are not the one on record."),
            Parameter("Last-Event-ID", TEXT, "Go on after the value with this id; goes before offset.", "header"),
        ),
    ),
    _get(
        "/health/live", "live", "The process answers.", workflows.live,
        Reply(200, "It does.", schemas.of(status={"const": "live"})), is_open=True,
    ),
    _get(
        "/health/ready", "ready", "The engine runs, and its file can be read.", workflows.ready,
        Reply(200, "It does.", schemas.of(status={"const": "ready"})), is_open=True,
    ),
    _get("/openapi.json", "describe", "This description.", describe,
         Reply(200, "OpenAPI 3.1.", {"type": "object"}), is_open=True),
)  # fmt: skip
