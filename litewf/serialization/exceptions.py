"""Errors as values: class, arguments, attributes, notes, cause, and the members of a group.

Parts of `{"$error": {...}}`: `type`; `args`; `message`, unless it is the only argument; `attributes`;
`notes`; `cause`; `suppress_context`; `exceptions`. Reading makes the error without its constructor, which may
ask for arguments that `args` does not hold.

In a forgiving pass an error is always written: an attribute that cannot be recorded becomes an `Opaque` with
its `repr`; where that would change the message, or the class cannot be found or rebuilt, the error becomes a
`RemoteError` with the same message, notes and cause."""

from __future__ import annotations

from types import GetSetDescriptorType, MemberDescriptorType
from typing import TYPE_CHECKING, Any

from litewf.errors import RemoteError, UnknownTypeError
from litewf.serialization import records, shapes
from litewf.serialization.kinds import listed, spell_str
from litewf.serialization.refusal import Refusal, short_repr, type_name
from litewf.serialization.text import write_json
from litewf.serialization.type_table import TypeTable, default_name

if TYPE_CHECKING:
    from litewf.serialization.walk import Walk

TAG = "$error"
NO_MESSAGE = "<its message cannot be read>"

_NOT_RECORDED = frozenset((
    "obj",  # AttributeError's owner: any object at all, kept by Python for its spelling suggestions
    "print_file_and_line",
))  # fmt: skip
_NOTES = "__notes__"
_LONGEST = 200  # characters of a message inside another

Descriptor = MemberDescriptorType | GetSetDescriptorType


def is_error(cls: type) -> bool:
    """Whether values of the class are written here."""
    return issubclass(cls, BaseException) and not shapes.has_protocol(cls)


def message_of(error: BaseException) -> str | None:
    """`str(error)`, or None where that raises."""
    try:
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - a user's __str__ may raise anything
        return None


def message_or_repr(error: BaseException) -> str:
    """Its message; where that is empty or cannot be read, its repr."""
    return message_of(error) or short_repr(error)


def described(error: BaseException) -> str:
    """The class and the first line of the message of an error, for another message."""
    first, *_ = (message_of(error) or "").splitlines() or [""]
    name = type_name(type(error))
    return f"{name}: {first[:_LONGEST]}" if first else name


_put = object.__setattr__  # a class may forbid assignment, as frozen dataclasses do


# --- writing -----------------------------------------------------------------------------------------------


def spell_error(walk: Walk, error: BaseException) -> object:
    """The error with all that hangs on it."""
    stand_ins = walk.stand_ins
    members = _spell_members(walk, error)
    try:
        record = _spell_faithfully(walk, error) | members
        _check(walk, error, record, has_stand_ins=walk.stand_ins > stand_ins)
    except Exception:
        if not walk.forgiving:
            raise
        record = _spell_as_remote(error) | members
    return {TAG: record | _spell_surroundings(walk, error)}


def spell_remote(error: BaseException) -> object:
    """The error by its name and message only."""
    return {TAG: _spell_as_remote(error)}


def _spell_faithfully(walk: Walk, error: BaseException) -> dict[str, object]:
    record: dict[str, object] = {"type": walk.types.name_of(type(error))}
    if isinstance(error, BaseExceptionGroup):
        record["message"] = spell_str(error.message)
    else:
        message = message_of(error)
        if message is not None and not (len(error.args) == 1 and _is_text(error.args[0], message)):
            record["message"] = spell_str(message)
        record["args"] = walk.attribute("args", list(error.args))
    attributes = _attributes_of(error)
    if attributes:
        record["attributes"] = walk.attributes(attributes)
    return record


def _spell_as_remote(error: BaseException) -> dict[str, object]:
    name = default_name(type(error))
    message = message_of(error)
    remote = RemoteError(name, NO_MESSAGE if message is None else message)
    return {
        "type": f"{RemoteError.__module__}:{RemoteError.__qualname__}",
        "args": [spell_str(remote.args[0])],
        "attributes": {"type": spell_str(name), "message": spell_str(remote.message)},
    }


def _spell_members(walk: Walk, error: BaseException) -> dict[str, object]:
    if isinstance(error, BaseExceptionGroup):
        return {"exceptions": walk.attribute("exceptions", list(error.exceptions))}
    return {}


def _spell_surroundings(walk: Walk, error: BaseException) -> dict[str, object]:
    found: dict[str, object] = {}
    notes = getattr(error, "__dict__", {}).get(_NOTES)
    if isinstance(notes, list | tuple) and notes:
        found["notes"] = [spell_str(note) for note in notes if type(note) is str]
    cause = error.__cause__
    if cause is not None:
        found["cause"] = walk.attribute("__cause__", cause)
    if error.__suppress_context__ is not (cause is not None):
        found["suppress_context"] = error.__suppress_context__
    return found


def _check(walk: Walk, error: BaseException, record: dict[str, object], *, has_stand_ins: bool) -> None:
    """Refuse a record that does not come back or, where parts are missing, says something else."""
    copy = walk.decode(write_json({TAG: record}))
    assert isinstance(copy, BaseException)
    before, after = message_of(error), message_of(copy)
    if (before is not None and after is None) or (has_stand_ins and before != after):
        raise Refusal(f"{type_name(type(error))} loses its message without what cannot be recorded")


def _is_text(value: object, text: str) -> bool:
    return type(value) is str and value == text


def _attributes_of(error: BaseException) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, slot in _builtin_slots(type(error)).items():
        try:
            held = slot.__get__(error)
        except (AttributeError, TypeError):
            continue  # never set
        if held is not None:
            found[name] = held
    found |= records.attributes_of(error)
    found.pop(_NOTES, None)
    return found


def _builtin_slots(cls: type) -> dict[str, Descriptor]:
    """Where builtin bases keep values: `errno` and `filename` of an OSError, `code` of SystemExit ..."""
    return {
        name: slot
        for base in cls.__mro__
        if not base.__flags__ & records.HEAP_TYPE and base not in (object, BaseException, BaseExceptionGroup)
        for name, slot in vars(base).items()
        if isinstance(slot, Descriptor) and name not in _NOT_RECORDED
    }


# --- reading -----------------------------------------------------------------------------------------------


def read_error(types: TypeTable, record: dict[str, Any], *, lenient: bool) -> BaseException:
    """The error, as its own class or, if `lenient`, as `RemoteError`."""
    try:
        error = _rebuild(types, record)
    except Exception:
        if not lenient:
            raise
        error = RemoteError(record["type"], record.get("message", _only_argument(record)))
        if "exceptions" in record:
            error.__dict__["exceptions"] = tuple(listed(record["exceptions"]))
    if record.get("notes"):
        error.__dict__[_NOTES] = list(listed(record["notes"]))
    _put(error, "__cause__", record.get("cause"))
    _put(error, "__suppress_context__", record.get("suppress_context", "cause" in record))
    return error


def _only_argument(record: dict[str, Any]) -> str:
    args = record.get("args", ())
    return args[0] if len(args) == 1 and isinstance(args[0], str) else NO_MESSAGE


def _rebuild(types: TypeTable, record: dict[str, Any]) -> BaseException:
    name = record["type"]
    cls = types.find(name)
    if cls is None:
        raise UnknownTypeError(
            f"the recorded error is a {name}, which this program has not loaded; import its module, or "
            f"register the class that took its place with the alias {name!r}"
        )
    if not issubclass(cls, BaseException):
        raise UnknownTypeError(f"{name} was recorded as an error and is none in this program")
    error = _make(cls, record)
    attributes = {**record.get("attributes", {})}
    for attribute, slot in _builtin_slots(cls).items():
        if attribute in attributes:
            slot.__set__(error, attributes.pop(attribute))
    records.put_attributes(error, attributes)
    return error


def _make(cls: type[BaseException], record: dict[str, Any]) -> BaseException:
    """The bare error, by the constructor of its nearest builtin base."""
    make: Any = records.builtin_base(cls).__new__
    error: BaseException
    if issubclass(cls, BaseExceptionGroup):
        error = make(cls, record["message"], listed(record["exceptions"]))
        return error
    args = tuple(listed(record.get("args", [])))
    error = make(cls, *args)  # only OSError looks at them here
    if type(error) is not cls:  # it chose a subclass by the errno
        error = make(cls)
    _put(error, "args", args)
    if "exceptions" in record:
        error.__dict__["exceptions"] = tuple(listed(record["exceptions"]))
    return error
