"""Where decorated functions are collected: workflows by name, instances by name, types that values may have."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from litewf.definitions import (
    Definition,
    QueueDefinition,
    ScheduleDefinition,
    StepDefinition,
    TransactionDefinition,
    WorkflowDefinition,
)
from litewf.errors import RegistrationError
from litewf.serialization import TypeTable

if TYPE_CHECKING:
    from litewf.api.step import StepDecorator
    from litewf.api.transaction import TransactionDecorator
    from litewf.api.workflow import WorkflowDecorator

T = TypeVar("T")
NAME_LIMIT = 255


def check_name(name: object, what: str, limit: int = NAME_LIMIT) -> str:
    """A name that reads the same in a log line, a file and a shell: 1 to 255 printable characters."""
    if not isinstance(name, str):
        raise TypeError(f"{what} is text, not {type(name).__name__}")
    if not 1 <= len(name) <= limit or not name.isprintable() or name != name.strip():
        raise ValueError(
            f"{what} must be 1 to {limit} printable characters without blanks at its ends, not {name[:80]!r}"
        )
    return name


def check_definition_name(name: object, what: str) -> str:
    """The name of something that users define; names under 'litewf.' are those of the engine's own records."""
    checked = check_name(name, what)
    if is_own(checked):
        raise ValueError(f"{what} must not begin with 'litewf.', which marks litewf's own records: {checked!r}")
    return checked


def is_own(name: str) -> bool:
    """Whether a name is one of litewf's own."""
    return name.startswith("litewf.")


class Registry:
    """A set of definitions for one or several engines.

    The module-level decorators use a default registry; `Registry().workflow` and friends use their own.
    """

    def __init__(self) -> None:
        self.types = TypeTable()
        self.workflows: dict[str, WorkflowDefinition] = {}
        self.queues: dict[str, QueueDefinition] = {}
        self.schedules: dict[str, ScheduleDefinition] = {}
        self._scheduled: dict[str, WorkflowDefinition] = {}
        self._definitions: dict[str, Definition] = {}
        self._instances: dict[str, object] = {}

    @property
    def workflow(self) -> WorkflowDecorator:
        """Decorate a function as a workflow of this registry."""
        from litewf.api.workflow import WorkflowDecorator  # noqa: PLC0415 - the decorators know the registry

        return WorkflowDecorator(self)

    @property
    def step(self) -> StepDecorator:
        """Decorate a function as a step of this registry."""
        from litewf.api.step import StepDecorator  # noqa: PLC0415 - the decorators know the registry

        return StepDecorator(self)

    @property
    def transaction(self) -> TransactionDecorator:
        """Decorate a function as a transaction of this registry."""
        from litewf.api.transaction import TransactionDecorator  # noqa: PLC0415 - as above

        return TransactionDecorator(self)

    def instance(self, name: str, instance: T) -> T:
        """Name an object whose methods are workflows, so that recovery finds it again; call before launch."""
        check_name(name, "an instance name")
        if self._instances.setdefault(name, instance) is not instance:
            raise RegistrationError(f"an instance named {name!r} is registered already; give this one another name")
        return instance

    def type(self, cls: type[T], *, name: str | None = None, aliases: Sequence[str] = ()) -> type[T]:
        """Let values be of class `cls` under a stable `name`; `aliases` are names that older records use."""
        self.types.register(cls, name=name, aliases=aliases)
        return cls

    def add(self, definition: Definition) -> None:
        """Register a definition; the same name from the same module replaces (reload, notebooks)."""
        known = self._definitions.get(definition.name)
        if known is not None and (known.module != definition.module or type(known) is not type(definition)):
            kind = _kind(known)
            raise RegistrationError(
                f"{definition.name!r} is already a {kind} of module {known.module}; give this one name=..."
            )
        self._definitions[definition.name] = definition
        if isinstance(definition, WorkflowDefinition):
            self.workflows[definition.name] = definition

    def add_queue(self, queue: QueueDefinition) -> None:
        """Register a queue; the same name again replaces its limits (reload, notebooks)."""
        self.queues[queue.name] = queue

    def add_schedule(self, schedule: ScheduleDefinition, workflow: WorkflowDefinition) -> None:
        """Register a schedule; the same name for the workflow defined anew replaces it (reload, notebooks)."""
        known = self.schedules.get(schedule.name)
        if known is not None and (known.workflow != schedule.workflow or self._scheduled[schedule.name] is workflow):
            raise RegistrationError(
                f"schedule {schedule.name!r}, of workflow {known.workflow!r}, is there already; give this one name=..."
            )
        self.schedules[schedule.name] = schedule
        self._scheduled[schedule.name] = workflow

    def instance_name(self, instance: object) -> str | None:
        return next((name for name, known in self._instances.items() if known is instance), None)

    def instance_named(self, name: str) -> object | None:
        return self._instances.get(name)

    def version(self) -> str:
        """A hash of the code of all workflows; needs no source, so frozen programs have one too."""
        import hashlib  # noqa: PLC0415 - needed once for each launch

        digest = hashlib.sha256()
        for name in sorted(self.workflows):
            digest.update(name.encode())
            for part in _code_parts(self.workflows[name].fn):
                digest.update(part)
        return digest.hexdigest()[:16]


def _kind(definition: Definition) -> str:
    names = {WorkflowDefinition: "workflow", StepDefinition: "step", TransactionDefinition: "transaction"}
    return names[type(definition)]


def _code_parts(fn: Callable[..., object]) -> Iterator[bytes]:
    code = getattr(getattr(fn, "__func__", fn), "__code__", None)
    if isinstance(code, types.CodeType):
        yield from _walk(code)


def _walk(code: types.CodeType) -> Iterator[bytes]:
    yield code.co_code
    yield repr(code.co_names).encode()
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _walk(constant)
        elif not isinstance(constant, frozenset):  # its order differs from process to process
            yield repr(constant).encode()


def check_registry(registry: object) -> None:
    """Refuse what is no registry."""
    if not isinstance(registry, Registry):
        raise TypeError(f"registry is a litewf.Registry, not {registry!r:.80}")


default_registry = Registry()
