"""What a workflow's function is bound to: the object or class of a method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from litewf.definitions import WorkflowDefinition
from litewf.engine.execution import Execution
from litewf.registry import Registry


def bound(execution: Execution) -> Callable[..., Any]:
    """The workflow's function, bound to its object or class."""
    definition, receiver = execution.definition, execution.about.receiver
    if receiver is None:
        return definition.fn if definition.is_function else _named_alone(execution)
    if definition.is_function and not isinstance(definition.fn, classmethod):
        raise TypeError(f"workflow {definition.name!r} is a function: start it without {receiver}")
    found = _find(execution.runtime.registry, definition, receiver)
    if found is None:
        execution.end("held", f"this program has no {receiver} for {definition.name!r}")
    return _to(definition, found)


def _named_alone(execution: Execution) -> Callable[..., Any]:
    """A method that was started without its object or class."""
    definition = execution.definition
    takes = definition.takes
    if takes is None:
        return definition.fn
    if takes == "object":
        raise TypeError(
            f"workflow {definition.name!r} is a method of an object: start it with the object's name as well, that of"
            " registry.instance()"
        )
    owner = definition.owner()
    if owner is None:
        execution.end("held", f"this program does not find the class of {definition.name!r}")
    return _to(definition, owner)


def _to(definition: WorkflowDefinition, found: object) -> Callable[..., Any]:
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
