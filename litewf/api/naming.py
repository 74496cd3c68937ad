"""What a decorator finds out about the function it decorates."""

import inspect
import sys
from collections.abc import Callable
from types import MethodType
from typing import Any, NamedTuple

from litewf.errors import RegistrationError
from litewf.registry import check_definition_name


class Described(NamedTuple):
    """A function as its definition needs it."""

    name: str
    module: str
    is_async: bool
    is_function: bool
    owner: Callable[[], type | None]


def describe(fn: Any, name: str | None, what: str) -> Described:
    """The name, module and kind of a function; refuses what cannot be run durably."""
    if isinstance(fn, staticmethod):
        raise RegistrationError(f"put @staticmethod above @{what}")
    plain: Any = fn.__func__ if isinstance(fn, classmethod) else fn
    if not callable(plain):
        raise TypeError(f"@{what} decorates a function, not {type(plain).__name__}")
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise RegistrationError(f"@{what} {plain.__qualname__}: a generator cannot be recorded; return a value")
    qualname = getattr(plain, "__qualname__", type(plain).__name__)
    chosen = check_definition_name(name or qualname.replace("<locals>.", ""), f"a {what}'s name")
    module = getattr(plain, "__module__", None) or "__main__"
    is_async = inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(type(plain).__call__)
    scope = qualname.rpartition(".")[0]
    is_function = not scope or scope.endswith("<locals>") or isinstance(fn, MethodType)
    return Described(chosen, module, is_async, is_function, _owner(module, qualname))


def _owner(module: str, qualname: str) -> Callable[[], type | None]:
    """The class that a method was defined in, looked up when it is needed: it does not exist yet."""
    path = qualname.split(".")[:-1]

    def find() -> type | None:
        found: Any = sys.modules.get(module)
        for part in path:
            found = getattr(found, part, None)
        return found if isinstance(found, type) else None

    return find
