"""Workflows by their names: of another program, or looked up in this one's registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, NoReturn, Unpack

from litewf.api.workflow import AsyncWorkflow, BaseWorkflow, Workflow, WorkflowOptions, refuse_without_meaning
from litewf.definitions import ScheduleDefinition, WorkflowDefinition
from litewf.engine.starting import NameOnly, StartOptions, StartRequest
from litewf.errors import UsageError
from litewf.registry import Registry, check_definition_name, check_name, default_registry


class WorkflowName(BaseWorkflow[..., Any]):
    """A workflow that other programs have the code of: its name stands for it wherever one is started.

    An engine whose program has the workflow picks it up; until one runs, it waits. The name is that of the function
    unless the program gave another; `instance` names the object whose method it is, as `registry.instance` did there.
    A method of a class runs on the class that defines it. Arguments are checked when it runs.
    """

    def __init__(self, name: str, *, instance: str | None = None) -> None:
        check_definition_name(name, "a workflow's name")
        receiver = None if instance is None else f"instance:{check_name(instance, 'an instance name')}"
        definition = WorkflowDefinition(name, "", _elsewhere, is_async=False, max_recovery_attempts=1)
        super().__init__(definition, default_registry, receiver=receiver)
        self.__doc__ = None

    def with_options(self, **options: Unpack[WorkflowOptions]) -> WorkflowName:
        """The same workflow, to be started with these options; WorkflowOptions describes them."""
        return self._copy(self._changed(options), self._receiver)

    def request(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> StartRequest:
        """A start of it."""
        refuse_without_meaning(self._options)
        return StartRequest(NameOnly(self.name), self._options, self._receiver, args, kwargs)

    def add_schedule(self, schedule: ScheduleDefinition) -> None:
        """Refused: a schedule in code is of a workflow in code."""
        raise UsageError(f"schedule {schedule.name!r}: create_schedule() takes workflows by their names")

    def _copy(self, options: StartOptions, receiver: str | None) -> WorkflowName:
        copied = copy(self)
        vars(copied).update(_options=options, _receiver=receiver)
        return copied


def _elsewhere(*_args: object, **_kwargs: object) -> NoReturn:
    raise UsageError("this program has no more of the workflow than its name")


def workflow_named(registry: Registry, name: str, instance: str | None = None) -> BaseWorkflow[Any, Any] | None:
    """The workflow that is registered under a name, of an object for a method; None if there is none to be started."""
    definition = registry.workflows.get(name)
    if definition is None:
        return None
    kind = AsyncWorkflow if definition.is_async else Workflow
    if instance is not None:
        known = definition.takes == "object" and registry.instance_named(instance) is not None
        return kind(definition, registry, receiver=f"instance:{instance}") if known else None
    owner = definition.owner() if definition.takes == "class" else None
    if owner is None:
        return kind(definition, registry) if definition.takes is None else None
    return kind(definition, registry, receiver=f"class:{owner.__qualname__}")
