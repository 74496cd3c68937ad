"""Msgspec Structs, without importing msgspec: it is loaded where a Struct is.

Parts: `[fields]`, or `[fields, others]` where the instance has a `__dict__` that holds more. A Struct cannot be made
without its constructor, so `__post_init__` runs; the fields are put back afterwards as they were.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from litewf.serialization.records import lost, read_field

if TYPE_CHECKING:
    from litewf.serialization.walk import Walk


def is_struct(cls: type) -> bool:
    return isinstance(getattr(cls, "__struct_fields__", None), tuple)


def spell_struct(walk: Walk, value: Any) -> list[object]:
    """The parts of a Struct."""
    fields = {name: read_field(value, name) for name in type(value).__struct_fields__}
    parts = [fields, getattr(value, "__dict__", {})]
    return [walk.attributes(part) for part in parts if part or part is fields]


def rebuild_struct(cls: Any, fields: dict[str, object], others: dict[str, object] | None = None) -> object:
    """The Struct; fields that it gained since get their defaults."""
    if gone := fields.keys() - set(cls.__struct_fields__):
        lost(cls, f"it has no field {min(gone)!r}")
    try:
        value = cls(**fields)
    except TypeError as error:  # a new field has no default
        lost(cls, str(error))
    force = sys.modules["msgspec"].structs.force_setattr
    for name, held in fields.items():
        force(value, name, held)
    if others:
        value.__dict__.update(others)
    return value
