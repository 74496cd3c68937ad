"""Rows of the file as JSON documents, with the field names of WorkflowStatus and StepInfo.

Values are shown as the JSON that litewf records, without its tags, so no class of the user's program is needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from litewf.cli.advice import in_commands
from litewf.serialization.plain import plain
from litewf.store.checkpoints import StepRow
from litewf.store.looking import Child, Detail
from litewf.store.readers import damaged
from litewf.store.reading import StatusRow
from litewf.store.waits import Awaited, describe, target_of, workflow_key
from litewf.world import moment_if

BUILTINS = "builtins."
OWN = "litewf.errors."  # whose names users know as litewf's
SHOWN_AS = "litewf."


def shown(text: str | None) -> Any:
    """A recorded value without its tags; what is no JSON, as its text."""
    if text is None:
        return None
    try:
        return plain(text)
    except (ValueError, TypeError, LookupError, RecursionError):  # another serializer wrote it
        return text


def error_shown(text: str | None) -> dict[str, str] | None:
    """A recorded error as its type and message."""
    found = shown(text)
    if found is None:
        return None
    if not isinstance(found, dict) or "type" not in found:
        return {"type": "error", "message": str(found)}
    name = str(found["type"]).replace(":", ".").removeprefix(BUILTINS)
    arguments = found.get("args") or []
    message = found.get("message", arguments[0] if len(arguments) == 1 else ", ".join(map(repr, arguments)))
    if name == "litewf.errors.RemoteError" and len(arguments) == 2:
        name, message = str(arguments[0]), arguments[1]
    if name.startswith(OWN):
        name = f"{SHOWN_AS}{name.removeprefix(OWN)}"
    return {"type": name, "message": str(message)}


def error_line(error: Mapping[str, str] | None) -> str | None:
    """An error as one line; what litewf advises in it, as commands."""
    if error is None:
        return None
    message = in_commands(error["message"]) if error["type"].startswith(SHOWN_AS) else error["message"]
    return ": ".join(part for part in (error["type"], message) if part)


def workflow(row: StatusRow, waits: Sequence[Awaited] = (), *, values: bool = True) -> dict[str, Any]:
    """One workflow; without `values` its input and output are left out."""
    with damaged(f"workflow {row.id!r}"):
        document: dict[str, Any] = {
            "workflow_id": row.id,
            "name": row.name,
            "status": row.status,
            "held": row.held,
            "waiting_on": waiting_on(waits),
            "input": shown(row.input),
            "output": shown(row.output),
            "error": error_shown(row.error),
            "created_at": iso(row.created_us),
            "updated_at": iso(row.updated_us),
            "started_at": iso(row.started_us),
            "completed_at": iso(row.completed_us),
            "deadline": iso(row.deadline_us),
            "timeout": None if row.timeout_us is None else row.timeout_us / 1_000_000,
            "executor_id": row.executor,
            "application_version": row.application_version,
            "attempts": row.recoveries + 1,
            "generation": row.generation,
            "queue_name": row.queue,
            "priority": row.priority or None,
            "deduplication_id": row.deduplication_id,
            "partition_key": row.partition,
            "parent_id": row.parent_id,
            "forked_from": row.forked_from,
            "authenticated_user": row.authenticated_user,
            "authenticated_roles": json.loads(row.authenticated_roles or "[]"),
            "attributes": json.loads(row.attributes or "{}"),
        }
    if not values:
        del document["input"], document["output"]
    return document


def waiting_on(waits: Sequence[Awaited]) -> list[dict[str, Any]]:
    """What ends the waits; a wait for an event or a stream also ends with their workflow, which goes without saying."""
    main = [wait for wait in waits if not (wait.waits or "").startswith("workflow:")]
    also = {(wait.step, workflow_key(target_of(wait))) for wait in main}
    return [
        {"step_id": wait.step, "what": describe(wait), "until": iso(wait.due_us)}
        for wait in waits
        if (wait.step, wait.waits) not in also
    ]


def step(row: StepRow) -> dict[str, Any]:
    """One recorded step; what failed so far of one that is tried again is in `failures`."""
    settled = row.completed_us is not None
    failures = shown(row.error) if row.error is not None and not settled else None
    return {
        "step_id": row.step,
        "name": row.name,
        "output": shown(row.output) if settled else None,
        "error": error_shown(row.error) if settled else None,
        "failures": [error_shown(one) for one in failures] if isinstance(failures, list) else [],
        "attempts": row.attempts,
        "child_workflow_id": row.child,
        "due_at": iso(row.due_us),
        "started_at": iso(row.started_us),
        "completed_at": iso(row.completed_us),
    }


def detail(found: Detail) -> dict[str, Any]:
    """One workflow with all that belongs to it."""
    with damaged(f"a step of workflow {found.status.id!r}"):
        steps = [step(row) for row in found.steps]
    return {
        **workflow(found.status, found.waits),
        "steps": steps,
        "children": tree(found.status.key, found.children),
        "events": {name: shown(text) for name, text in found.events.items()},
        "streams": [{"key": end.name, "values": end.values, "closed": end.closed} for end in found.streams],
        "unread_messages": found.unread,
    }


def tree(root: int, children: Sequence[Child]) -> list[dict[str, Any]]:
    """The workflows below one, each with those below it."""
    nodes: dict[int, dict[str, Any]] = {root: {"children": []}}
    for child in children:  # level by level, so each parent is there
        node: dict[str, Any] = {
            "workflow_id": child.id, "name": child.name, "status": child.status, "held": child.held,
            "created_at": iso(child.created_us), "completed_at": iso(child.completed_us), "children": [],
        }  # fmt: skip
        nodes[child.key] = node
        nodes[child.parent]["children"].append(node)
    children_of_root: list[dict[str, Any]] = nodes[root]["children"]
    return children_of_root


def iso(us: int | None) -> str | None:
    """A stored time as text, in UTC."""
    at = moment_if(us)
    return None if at is None else at.isoformat()


def of_value(value: object) -> Any:
    """A value that a Client returned, as the JSON that litewf records; what it cannot record, as its repr."""
    from litewf.serialization import JsonSerializer  # noqa: PLC0415 - those who only look need none

    try:
        return plain(JsonSerializer().encode(value)[0])
    except (TypeError, ValueError):
        return repr(value)
