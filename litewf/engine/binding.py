"""What a workflow's function is bound to: the object or class of a method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from litewf.definitions import WorkflowDefinition
from litewf.engine.execution import Execution
from litewf.registry import Registry


def bound(execution: Execution) -> Callable[..., Any]:
    """The workflow's function, bound to its object or class."""
    definition, receiver = execution.definition, execution.receiver
    if receiver is None:
        return definition.fn
    found = _find(execution.runtime.registry, definition, receiver)
    if found is None:
        execution.end("held", f"this program has no {receiver} for {definition.name!r}")
    if isinstance(definition.fn, classmethod):
        return cast("Callable[..., Any]", definition.fn.__get__(None, cast("type", found)))
    return cast("Callable[..., Any]", definition.fn.__get__(found))


def _find(registry: Registry, definition: WorkflowDefinition, receiver: str) -> object | None:
    kind, _, name = receiver.partition(":")
    if kind == "instance":
        return registry.instance_named(name)
    owner = definition.owner()
    return None if owner is None else _subclass_named(owner, name)


def _subclass_named(owner: type, name: str) -> type | None:
    if owner.__qualname__ == name:
        return owner
    subclasses: list[type] = owner.__subclasses__()
    found = (_subclass_named(subclass, name) for subclass in subclasses)
    return next((subclass for subclass in found if subclass is not None), None)
