"""Claimed workflows become executions: their input and records are read in one query each."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from litewf.engine.execution import Execution
from litewf.engine.watching import tell_of_queues
from litewf.errors import SerializationError
from litewf.store import checkpoints, endings, reading, streams
from litewf.store.claims import Claimed

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

LOG = logging.getLogger("litewf")
LONG = 1000  # recorded steps from which replaying them at each wake-up earns a warning


def load(runtime: Runtime, workflows: Sequence[Claimed]) -> list[Execution]:
    """Executions of what was claimed; what cannot be decoded is held."""
    keys = [workflow.key for workflow in workflows]
    inputs = runtime.store.read(lambda connection: reading.inputs_of(connection, keys))
    records = runtime.store.read(lambda connection: checkpoints.steps_of(connection, keys))
    if stale := runtime.store.read(lambda connection: streams.stale(connection, keys)):
        runtime.store.writer.turn(lambda tx: streams.disown(tx, stale))
    loaded = []
    for workflow in workflows:
        given = inputs[workflow.key]
        try:
            execution = _execution(runtime, workflow, given.input)
        except (SerializationError, ValueError, KeyError, TypeError) as error:
            _hold(runtime, workflow, f"its input cannot be decoded: {error}")
            continue
        execution.user, execution.trace = given.authenticated_user, given.trace
        execution.roles = tuple(json.loads(given.authenticated_roles)) if given.authenticated_roles else ()
        execution.load(records[workflow.key])
        if len(execution.records) >= LONG and workflow.key not in runtime.warned_long:
            runtime.warned_long.add(workflow.key)
            LOG.warning("%s replays %d recorded steps each time it wakes; let a long loop end with continue_as_new()",
                        execution.label, len(execution.records), extra=execution.log_fields())  # fmt: skip
        loaded.append(execution)
    if runtime.watch is not None:
        tell_of_queues(runtime, runtime.watch, loaded)
    return loaded


def _execution(runtime: Runtime, workflow: Claimed, text: str) -> Execution:
    given = runtime.serializer.decode(text)
    if not isinstance(given, dict):
        raise TypeError(f"it is {type(given).__name__}, not args and kwargs")
    identity = (workflow.key, workflow.id, workflow.fence, workflow.generation)
    definition = runtime.registry.workflows[workflow.name]
    execution = Execution(runtime, definition, identity, given["args"], given["kwargs"])
    execution.receiver = given.get("self")
    execution.latest_us = workflow.latest_us
    execution.deadline_us = workflow.deadline_us
    execution.version = workflow.application_version
    execution.queue = workflow.queue
    return execution


def _hold(runtime: Runtime, workflow: Claimed, reason: str) -> None:
    key, workflow_id, fence, version = workflow.key, workflow.id, workflow.fence, runtime.version
    runtime.store.writer.turn(lambda tx: endings.hold(tx, key, workflow_id, fence, reason, version))
    about = {"workflow_id": workflow_id, "workflow_name": workflow.name}
    LOG.warning("workflow %r (%s) is held: %s", workflow_id, workflow.name, reason, extra=about)
