"""Pydantic models, without importing pydantic: a model class knows all that is needed here.

Parts: `[fields]`, or `[fields, more]` where `more` holds what is not plain: `set` (the fields that were
given, if not all), `extra` and `private`. No validator runs: the values were validated when the model was
made, and validating again may change them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from litewf.serialization.kinds import listed, spell_str
from litewf.serialization.records import lost
from litewf.serialization.refusal import Refusal, type_name

if TYPE_CHECKING:
    from litewf.serialization.walk import Walk


def is_model(cls: type) -> bool:
    return isinstance(getattr(cls, "__pydantic_fields__", None), dict) and hasattr(cls, "__pydantic_private__")


def spell_model(walk: Walk, model: Any) -> list[object]:
    """The parts of a model."""
    cls = type(model)
    fields = {name: held for name, held in model.__dict__.items() if name in cls.__pydantic_fields__}
    _check_rest(cls, model.__dict__.keys() - fields.keys())
    more: dict[str, object] = {}
    if model.__pydantic_fields_set__ != fields.keys():
        more["set"] = [spell_str(name) for name in sorted(model.__pydantic_fields_set__)]
    extra = model.__pydantic_extra__
    if extra != _no_extra(cls):
        more["extra"] = None if extra is None else walk.attributes(extra)
    if model.__pydantic_private__:
        more["private"] = walk.attributes(model.__pydantic_private__)
    parts: list[object] = [walk.attributes(fields)]
    return [*parts, more] if more else parts


def rebuild_model(cls: Any, fields: dict[str, Any], more: dict[str, Any] | None = None) -> object:
    """The model, without its constructor and validators."""
    more = more or {}
    gone = fields.keys() - cls.__pydantic_fields__.keys()
    if gone:
        lost(cls, f"it has no field {min(gone)!r}")
    gained = {name: _default(cls, name) for name in cls.__pydantic_fields__ if name not in fields}
    model = object.__new__(cls)
    object.__setattr__(model, "__dict__", fields | gained)
    object.__setattr__(model, "__pydantic_fields_set__", set(listed(more["set"]) if "set" in more else fields))
    _put(model, "__pydantic_extra__", more.get("extra", _no_extra(cls)))
    _put(model, "__pydantic_private__", _private(cls, more.get("private", {})))
    return model


def _check_rest(cls: type, names: set[str]) -> None:
    for name in names:
        if not (name.startswith("__pydantic_") or isinstance(getattr(cls, name, None), cached_property)):
            raise Refusal(f"{name!r} is no field of {type_name(cls)}; declare it as a field or a private attribute")


def _put(model: object, name: str, held: object) -> None:
    # A RootModel has these as class attributes; set needlessly, they would show among its fields.
    if getattr(model, name, held) is not held or not hasattr(model, name):
        object.__setattr__(model, name, held)


def _no_extra(cls: Any) -> dict[str, object] | None:
    return {} if cls.model_config.get("extra") == "allow" else None


def _default(cls: Any, name: str) -> object:
    field = cls.__pydantic_fields__[name]
    if field.is_required():
        lost(cls, f"nothing was recorded for its field {name!r}")
    return field.get_default(call_default_factory=True)


def _private(cls: Any, recorded: dict[str, Any]) -> dict[str, Any] | None:
    declared = cls.__private_attributes__
    if not declared:
        return recorded or None
    gained = {name: each.get_default() for name, each in declared.items() if name not in recorded}
    return {name: held for name, held in gained.items() if type(held).__name__ != "PydanticUndefinedType"} | recorded
