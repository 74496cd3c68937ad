"""`@transaction`: functions whose SQL on the engine's own file takes effect once, together with their record."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from litewf.api.naming import describe
from litewf.definitions import TransactionDefinition
from litewf.engine import calls
from litewf.engine.execution import FRAME, Branch
from litewf.engine.transacting import transaction
from litewf.errors import NotInWorkflowError, RegistrationError
from litewf.registry import Registry, check_name
from litewf.store.transactions import Connection

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Transaction(Generic[P, R_co]):
    """A function `f(conn, ...)` that a workflow calls without `conn`."""

    def __init__(self, definition: TransactionDefinition) -> None:
        self._definition = definition
        self.__name__ = definition.fn.__name__
        self.__qualname__ = definition.name
        self.__doc__ = definition.fn.__doc__
        self.__wrapped__ = definition.fn

    @property
    def name(self) -> str:
        """The name under which outcomes are recorded."""
        return self._definition.name

    @property
    def fn(self) -> Callable[..., Any]:
        """The plain function, which takes the connection first."""
        return self._definition.fn

    def __repr__(self) -> str:
        return f"<transaction {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Run it in this sync workflow; it is durable on return."""
        self._check_caller()
        result: R_co = calls.blocking(f"transaction {self.name}", transaction, self._definition, args, kwargs)
        return result

    def run_async(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R_co]:
        """Run it in this async workflow, in a worker thread; durable once awaited."""
        self._check_caller()
        return calls.awaitable(f"transaction {self.name}", transaction, self._definition, args, kwargs)

    def _check_caller(self) -> None:
        if type(FRAME.get()) is not Branch:
            raise NotInWorkflowError(
                f"transaction {self.name!r} was called outside a workflow; use engine.transact({self.__name__}.fn, ...)"
            )


class TransactionDecorator:
    """Makes functions transactions; call it with a name or directly on a function."""

    def __init__(self, registry: Registry, name: str | None = None) -> None:
        self._registry = registry
        self._name = name

    @overload
    def __call__(self, fn: Callable[Concatenate[Connection, P], R], /) -> Transaction[P, R]: ...
    @overload
    def __call__(self, name: str, /) -> TransactionDecorator: ...
    @overload
    def __call__(self, *, name: str | None = None) -> TransactionDecorator: ...
    def __call__(  # type: ignore[misc]  # a function or a name, told apart below
        self, fn: Any = None, /, *, name: str | None = None
    ) -> Any:
        """Decorate a function, or return a decorator with options."""
        if fn is None or isinstance(fn, str):
            name = name if fn is None else fn
            if name is not None:
                check_name(name, "a transaction's name")
            return TransactionDecorator(self._registry, name)
        described = describe(fn, self._name, "transaction")
        if described.is_async or isinstance(fn, classmethod):
            raise RegistrationError(
                f"@transaction {described.name}: a plain function is needed; a transaction must not wait or be bound"
            )
        definition = TransactionDefinition(described.name, described.module, fn)
        self._registry.add(definition)
        return Transaction(definition)
