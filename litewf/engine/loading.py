"""Claimed workflows become executions: their input and records are read in one query each."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from litewf.engine import replay_order
from litewf.engine.execution import About, Execution
from litewf.engine.watching import tell_of_queues
from litewf.errors import SerializationError, StoreCorruptError
from litewf.serialization.exceptions import described
from litewf.store import checkpoints, endings, reading, streams
from litewf.store.checkpoints import StepRow
from litewf.store.claims import Claimed
from litewf.store.operations import Tx

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

E = TypeVar("E", bound=Execution)
LOG = logging.getLogger("litewf")
FEW = 16  # workflows, whose rows are read at once
LONG = 1000  # recorded steps from which replaying them at each wake-up earns a warning


def load(runtime: Runtime, workflows: Sequence[Claimed]) -> list[Execution]:
    """Executions of what was claimed; what cannot be read or decoded is held, and the others go on."""
    try:
        rows = _read(runtime, [workflow.key for workflow in workflows])
    except StoreCorruptError as error:
        if len(workflows) > 1:
            return [execution for workflow in workflows for execution in load(runtime, [workflow])]
        _hold(runtime, workflows[0], f"its rows cannot be read: {error}")
        return []
    loaded = []
    for workflow in workflows:
        try:
            execution = _execution(runtime, workflow, rows)
        except (SerializationError, TypeError, KeyError) as error:
            _hold(runtime, workflow, f"its input cannot be decoded: {error}")
            continue
        except (ValueError, LookupError, RecursionError) as error:
            _hold(runtime, workflow, f"its rows are damaged: {error}")
            continue
        if len(execution.records) >= LONG and workflow.key not in runtime.warned_long:
            runtime.warned_long.add(workflow.key)
            LOG.warning("%s replays %d recorded steps each time it wakes; let a long loop end with continue_as_new()",
                        execution.label, len(execution.records), extra=execution.log_fields())  # fmt: skip
        loaded.append(execution)
    if runtime.watch is not None:
        tell_of_queues(runtime, runtime.watch, loaded)
    return loaded


class _Rows(NamedTuple):
    """What the file says of several workflows, by key."""

    inputs: Mapping[int, reading.Given]
    records: Mapping[int, Mapping[str, StepRow]]


def _read(runtime: Runtime, keys: list[int]) -> _Rows:
    ask = runtime.store.peek if len(keys) <= FEW else runtime.store.read
    inputs, records, stale = ask(
        lambda connection: (
            reading.inputs_of(connection, keys), checkpoints.steps_of(connection, keys), streams.stale(connection, keys)
        )
    )  # fmt: skip
    if stale:
        runtime.store.writer.turn(lambda tx: streams.disown(tx, stale))
    return _Rows(inputs, records)


def _execution(runtime: Runtime, workflow: Claimed, rows: _Rows) -> Execution:
    if workflow.key not in rows.inputs:
        raise LookupError("there is no row with its input")
    found = rows.inputs[workflow.key]
    execution = execution_of(runtime, workflow, found.input, Execution)
    roles = tuple(json.loads(found.authenticated_roles)) if found.authenticated_roles else ()
    execution.about = execution.about._replace(user=found.authenticated_user, roles=roles, trace=found.trace)
    replay_order.load(execution, rows.records[workflow.key])
    return execution


def execution_of(runtime: Runtime, workflow: Claimed, text: str, kind: type[E]) -> E:
    """The execution of a workflow with this input; raises what the input raises when it is decoded."""
    try:
        given = runtime.serializer.decode(text)
    except SerializationError:
        raise
    except Exception as error:  # of a serializer of the user's, whose key may be wrong
        raise SerializationError(described(error)) from error
    if not isinstance(given, dict):
        raise TypeError(f"it is {type(given).__name__}, not args and kwargs")
    identity = (workflow.key, workflow.id, workflow.fence, workflow.generation)
    definition = runtime.registry.workflows[workflow.name]
    of_any = workflow.application_version is None
    about = About(given.get("self"), workflow.deadline_us, queue=workflow.queue, of_any_version=of_any)
    execution = kind(runtime, definition, identity, given["args"], given["kwargs"], about)
    execution.latest_us = workflow.latest_us
    return execution


def _hold(runtime: Runtime, workflow: Claimed, reason: str) -> None:
    key, workflow_id, fence, version = workflow.key, workflow.id, workflow.fence, runtime.version
    of_any = workflow.application_version is None

    def hold(tx: Tx) -> bool:
        return endings.hold(tx, key, workflow_id, fence, reason, version, of_any_version=of_any)

    runtime.store.writer.turn(hold)
    about = {"workflow_id": workflow_id, "workflow_name": workflow.name}
    LOG.warning("workflow %r (%s) is held: %s", workflow_id, workflow.name, reason, extra=about)
