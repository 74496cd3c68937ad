"""Which classes a recorded value may name: the registered ones, and those that loaded modules define.

A class is named `module:qualname`. Looking a name up reads module and class dictionaries only: it imports
nothing, and it runs no `__getattr__` of a module or class.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath

from litewf.errors import RegistrationError, SerializationError

_MAIN = ("__main__", "__mp_main__")  # the second is what multiprocessing calls the program in a child


@dataclass(frozen=True, slots=True)
class Opaque:
    """A recorded value whose class this program lacks: `type` is the class's name, `data` what it held."""

    type: str
    data: object

    def __hash__(self) -> int:
        return hash(self.type)  # `data` may hold lists, yet an Opaque may stand in a set


class TypeTable:
    """The names of classes, both ways."""

    def __init__(self) -> None:
        self._classes: dict[str, type] = {}
        self._names: dict[type, str] = {}

    def register(self, cls: type, *, name: str | None = None, aliases: Sequence[str] = ()) -> None:
        """Record values of `cls` under `name`; texts that say `name` or an alias are read as `cls`.

        A class without fields of its own kind (no dataclass, model, enum ...) is recorded by its attributes
        once it is registered. Raises `RegistrationError` where a name already belongs to another class.
        """
        if not isinstance(cls, type):
            raise RegistrationError(f"{cls!r} is not a class; register the class itself")
        name = name or default_name(cls)
        for each in (name, *aliases):
            other = self._classes.get(each, cls)
            if other is not cls:
                raise RegistrationError(
                    f"the type name {each!r} already belongs to {other.__module__}.{other.__qualname__}; "
                    f"choose another name for {cls.__module__}.{cls.__qualname__}"
                )
        self._classes.update(dict.fromkeys((name, *aliases), cls))
        self._names[cls] = name

    def is_registered(self, cls: type) -> bool:
        """Whether `register` was called with this class."""
        return cls in self._names

    def name_of(self, cls: type) -> str:
        """The name that finds `cls` again. Raises `SerializationError` where none does."""
        registered = self._names.get(cls)
        if registered is not None:
            return registered
        name = default_name(cls)
        found = self.find(name)
        if found is cls:
            return name
        if "<locals>" in name:
            reason = "is defined inside a function, where no other process can find it"
        elif found is None:
            reason = "is not found under that name in its module"
        else:
            reason = "shares that name with another class of this program"
        raise SerializationError(
            f"the class {name} {reason}; define it once at the top of a module, or register it as a type"
        )

    def find(self, name: str) -> type | None:
        """The class of that name among registered names and loaded modules, or None."""
        registered = self._classes.get(name)
        if registered is not None:
            return registered
        module, _, qualname = name.partition(":")
        if module == _main_name():
            return _class_in("__main__", qualname) or _class_in(module, qualname)
        return _class_in(module, qualname)


def default_name(cls: type) -> str:
    """`module:qualname`, with the program's own module under the name by which others import it."""
    module = cls.__module__
    return f"{_main_name() if module in _MAIN else module}:{cls.__qualname__}"


def _main_name() -> str:
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return str(spec.name)
    file = getattr(main, "__file__", None)
    return _stem(file) if file else "__main__"


@cache
def _stem(file: str) -> str:
    return PurePath(file).stem


def _class_in(module: str, qualname: str) -> type | None:
    scope = _names_in(sys.modules.get(module))
    if qualname not in scope:  # a generic model's name holds dots: "Box[shop.Order]"
        *outer, qualname = qualname.split(".")
        for part in outer:
            owner = scope.get(part)
            scope = type.__dict__["__dict__"].__get__(owner) if isinstance(owner, type) else {}
    found = scope.get(qualname)
    return found if isinstance(found, type) else None


def _names_in(module: object) -> Mapping[str, object]:
    try:
        # Not vars(module): a lazy module loads itself when anything is read from it.
        names = object.__getattribute__(module, "__dict__")
    except AttributeError:
        return {}
    return names if isinstance(names, dict) else {}
