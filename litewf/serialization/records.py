"""Classes of named fields: dataclasses, attrs classes, and registered classes of plain attributes.

Parts: `[fields]`, or `[fields, others]` where the instance holds attributes that are no fields.
A field that the class gained since is filled from its default; one that it lost refuses, for a renamed field
must not come back as its default.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from functools import cached_property, lru_cache
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, NoReturn

from litewf.errors import UnknownTypeError
from litewf.serialization.refusal import Refusal, type_name

if TYPE_CHECKING:
    from litewf.serialization.walk import Walk

HEAP_TYPE = 1 << 9  # CPython's flag of classes that were made while the program ran

Default = Callable[[object], object]  # gets the instance, for attrs factories that take it

_MISSING = object()
_CLASSES_REMEMBERED = 1_000
_TYPING_MARK = "__orig_class__"  # what `Box[int](1)` leaves in the instance: an annotation, not a value
_ATTRS_HASH = "_attrs_cached_hash"  # differs between processes


def lost(cls: type, what: str) -> NoReturn:
    """Refuse a record that the class, as it is now, cannot hold or lacks a value for."""
    raise UnknownTypeError(
        f"the recorded {type_name(cls)} does not fit the class as it is now: {what}; give a new field "
        "a default, keep or restore what was recorded, or register the class under another name"
    )


def is_dataclass(cls: type) -> bool:
    return isinstance(getattr(cls, "__dataclass_fields__", None), dict) and is_bare(cls)


def is_attrs(cls: type) -> bool:
    return isinstance(getattr(cls, "__attrs_attrs__", None), tuple) and is_bare(cls)


def is_bare(cls: type) -> bool:
    """Whether instances hold attributes only: one that is also a dict or a str would lose that part."""
    return builtin_base(cls) is object


def builtin_base(cls: type) -> type:
    """The nearest base that no `class` statement made; `object` unless instances hold a builtin's content."""
    base: type | None = cls
    while base is not None and base.__flags__ & HEAP_TYPE:
        base = base.__base__
    return base or object


def spell_record(walk: Walk, value: object) -> list[object]:
    """The parts of a dataclass or attrs instance."""
    cls: Any = type(value)
    others = attributes_of(value)
    fields = {name: others.pop(name, _MISSING) for name in _defaults(cls)}
    for name, held in fields.items():
        if held is _MISSING:
            fields[name] = read_field(value, name)
    return [walk.attributes(part) for part in (fields, others) if part or part is fields]


def rebuild_record(cls: Any, fields: dict[str, object], others: dict[str, object] | None = None) -> object:
    """The instance, without its constructor."""
    value = object.__new__(cls)
    defaults = _defaults(cls)
    gone = fields.keys() - defaults.keys()
    if gone:
        lost(cls, f"it has no field {min(gone)!r}")
    for name, held in fields.items():
        object.__setattr__(value, name, held)
    for name, default in defaults.items():
        if name in fields:
            continue
        if default is None:
            lost(cls, f"nothing was recorded for its field {name!r}")
        object.__setattr__(value, name, default(value))
    return put_attributes(value, others or {})


def spell_plain(walk: Walk, value: object) -> list[object]:
    """The parts of an instance of a registered class."""
    return [walk.attributes(attributes_of(value))]


def rebuild_plain(cls: Any, attributes: dict[str, object]) -> object:
    """The instance, without its constructor."""
    return put_attributes(object.__new__(cls), attributes)


def attributes_of(value: object) -> dict[str, Any]:
    """What the instance itself holds, in slots and in its dictionary, save what is computed from the rest."""
    cls: Any = type(value)
    found: dict[str, Any] = {}
    for name, slot in slots_of(cls).items():
        try:
            found[name] = slot.__get__(value)
        except AttributeError:
            continue  # never set
    found |= getattr(value, "__dict__", {})
    found.pop(_TYPING_MARK, None)
    if _ATTRS_HASH in found:
        found[_ATTRS_HASH] = None
    for name in _computed_names(cls) & found.keys():
        del found[name]
    return found


def put_attributes(value: object, attributes: dict[str, object]) -> object:
    """Set attributes where `attributes_of` found them, past any `__setattr__` of the class."""
    cls: Any = type(value)
    slots = slots_of(cls) if attributes else {}
    for name, held in attributes.items():
        if name in slots:
            slots[name].__set__(value, held)
        elif hasattr(value, "__dict__"):
            value.__dict__[name] = held
        else:
            lost(cls, f"it has no attribute {name!r}")
    return value


@lru_cache(maxsize=_CLASSES_REMEMBERED)
def slots_of(cls: type) -> dict[str, MemberDescriptorType]:
    """The `__slots__` of the program's classes among the bases, by the names that they really have."""
    return {
        name: slot
        for base in reversed(cls.__mro__)
        if base.__flags__ & HEAP_TYPE
        for name, slot in vars(base).items()
        if isinstance(slot, MemberDescriptorType)
    }


@lru_cache(maxsize=_CLASSES_REMEMBERED)
def _computed_names(cls: type) -> frozenset[str]:
    return frozenset(
        name for base in cls.__mro__ for name, held in vars(base).items() if isinstance(held, cached_property)
    )


def read_field(value: object, name: str) -> object:
    try:
        return getattr(value, name)
    except AttributeError:
        raise Refusal(f"the field {name!r} of this {type_name(type(value))} was never set") from None


@lru_cache(maxsize=_CLASSES_REMEMBERED)
def _defaults(cls: Any) -> dict[str, Default | None]:
    """The fields of a dataclass or attrs class, each with what makes its default."""
    if hasattr(cls, "__dataclass_fields__"):
        return {field.name: _dataclass_default(field) for field in dataclasses.fields(cls)}
    return {attribute.name: _attrs_default(attribute.default) for attribute in cls.__attrs_attrs__}


def _dataclass_default(field: dataclasses.Field[Any]) -> Default | None:
    if field.default is not dataclasses.MISSING:
        return lambda _value: field.default
    factory = field.default_factory
    return None if factory is dataclasses.MISSING else lambda _value: factory()


def _attrs_default(default: Any) -> Default | None:
    attr = sys.modules["attr"]  # a class of it exists, so it is loaded
    if default is attr.NOTHING:
        return None
    if isinstance(default, attr.Factory):
        return lambda value: default.factory(value) if default.takes_self else default.factory()
    return lambda _value: default
