"""How classes of the program are spelled: one table, `{tag: [class name, part, ...]}`.

A shape says which classes it fits. Reading checks that again, so a text can only rebuild a class that is
data, and only as what it is. No constructor runs: attributes are put back where they were."""

from __future__ import annotations

from collections.abc import Callable
from enum import EnumMeta, Flag
from typing import TYPE_CHECKING, Any, NamedTuple

from litewf.serialization import models, records, structs
from litewf.serialization.refusal import Refusal, type_name

if TYPE_CHECKING:
    from litewf.serialization.type_table import TypeTable
    from litewf.serialization.walk import Walk


class Shape(NamedTuple):
    """One row: `spell` gives the parts behind the class's name, `rebuild` gets the class and those parts."""

    tag: str
    noun: str
    fits: Callable[[type], bool]
    spell: Callable[[Walk, Any], list[object]]
    rebuild: Callable[..., object]


def shape_of(cls: type, types: TypeTable) -> Shape | None:
    """The first row that fits the class."""
    return next((shape for shape in SHAPES if fits(shape, cls, types)), None)


def fits(shape: Shape, cls: type, types: TypeTable) -> bool:
    """Whether values of the class are spelled so; a class of no kind must be registered for that."""
    return shape.fits(cls) and (shape is not PLAIN or types.is_registered(cls))


def has_protocol(cls: type) -> bool:
    """Whether the class says itself how it is recorded."""
    return any("__litewf_encode__" in vars(base) for base in cls.__mro__)


def _spell_protocol(walk: Walk, value: Any) -> list[object]:
    if not hasattr(type(value), "__litewf_decode__"):
        raise Refusal(f"{type_name(type(value))} has __litewf_encode__ but lacks the classmethod __litewf_decode__")
    return [walk.write(value.__litewf_encode__())]


def _rebuild_protocol(cls: Any, payload: object) -> object:
    value = cls.__litewf_decode__(payload)
    if type(value) is not cls:
        raise TypeError(f"{type_name(cls)}.__litewf_decode__ returned {type_name(type(value))}")
    return value


def _spell_enum(_walk: Walk, value: Any) -> list[object]:
    cls = type(value)
    name = value._name_  # not `name`, which the class may override
    if cls.__members__.get(name) is value:
        return [name]
    if isinstance(value, Flag):
        return [value._value_]  # a mix of members has no name of its own
    raise Refusal(f"this {type_name(cls)} is no member of its class")


def _rebuild_enum(cls: Any, member: object) -> object:
    if isinstance(member, str):
        return cls.__members__[member] if member in cls.__members__ else records.lost(cls, f"it lacks {member!r}")
    mixed = cls(member) if issubclass(cls, Flag) else None
    return mixed if type(mixed) is cls else records.lost(cls, f"value {member!r}")


def _spell_namedtuple(walk: Walk, value: Any) -> list[object]:
    cls = type(value)
    values = tuple(tuple.__iter__(value))
    if len(values) != len(cls._fields) or getattr(value, "__dict__", None):
        raise Refusal(f"this {type_name(cls)} holds more than its fields; use a dataclass")
    return [walk.attributes(dict(zip(cls._fields, values, strict=True)))]


def _rebuild_namedtuple(cls: Any, values: dict[str, object]) -> object:
    known = cls._field_defaults | values
    if known.keys() != set(cls._fields):
        records.lost(cls, f"field {min(known.keys() ^ set(cls._fields))!r}")
    return tuple.__new__(cls, (known[name] for name in cls._fields))


def _is_namedtuple(cls: type) -> bool:
    return issubclass(cls, tuple) and isinstance(getattr(cls, "_fields", None), tuple) and hasattr(cls, "_make")


PROTOCOL = Shape("$custom", "a class with __litewf_encode__", has_protocol, _spell_protocol, _rebuild_protocol)
PLAIN = Shape("$object", "a class of attributes", records.is_bare, records.spell_plain, records.rebuild_plain)
SHAPES: tuple[Shape, ...] = (
    PROTOCOL,
    Shape("$enum", "an enum", lambda cls: isinstance(cls, EnumMeta), _spell_enum, _rebuild_enum),
    Shape("$dataclass", "a dataclass", records.is_dataclass, records.spell_record, records.rebuild_record),
    Shape("$attrs", "an attrs class", records.is_attrs, records.spell_record, records.rebuild_record),
    Shape("$pydantic", "a pydantic model", models.is_model, models.spell_model, models.rebuild_model),
    Shape("$struct", "a msgspec Struct", structs.is_struct, structs.spell_struct, structs.rebuild_struct),
    Shape("$namedtuple", "a named tuple", _is_namedtuple, _spell_namedtuple, _rebuild_namedtuple),
    PLAIN,
)
SHAPE_BY_TAG: dict[str, Shape] = {shape.tag: shape for shape in SHAPES}
