"""`as_type=`: a value that arrived, as the type that the caller asks for, or a clear refusal.

A value that is of the class already passes as it is. Anything else is left to the library whose type it is: msgspec for
its Structs, pydantic for models, dataclasses, unions, TypedDicts and all other type forms. Of a class that no library
knows, instances pass. Without pydantic only plain classes are checked, and all else is refused before a value is waited
for: one that has arrived would be lost.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, get_args

from litewf.errors import PayloadError, UsageError
from litewf.serialization.exceptions import message_or_repr

if TYPE_CHECKING:  # what a type checker needs to know of as_type: a type form, and Any where there is none
    from typing_extensions import TypeForm as TypeForm  # noqa: PLC0414 - exported
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")
    TypeForm = type

PLAIN = frozenset((object, str, int, float, bool, type(None), bytes, list, dict, tuple, set, frozenset))


def unchanged(value: Any) -> Any:
    """What a caller gets who asks for no type."""
    return value


def converter(as_type: Any) -> Callable[[Any], Any]:
    """A function that converts or raises PayloadError; a type that nothing here understands is refused at once."""
    if as_type is None or as_type is Any:
        return unchanged
    try:
        return _converter(as_type)
    except TypeError:  # a type form that cannot be hashed
        return _converter.__wrapped__(as_type)


@lru_cache(maxsize=256)
def _converter(as_type: Any) -> Callable[[Any], Any]:
    library = _library(as_type)

    def convert(value: Any) -> Any:
        if isinstance(as_type, type) and type(value) is as_type:
            return value
        return library(value)

    return convert


def _library(as_type: Any) -> Callable[[Any], Any]:
    msgspec = sys.modules.get("msgspec")  # whoever has a Struct has loaded it
    if msgspec is not None and _holds_struct(msgspec, as_type):
        _understood(lambda: msgspec.json.Decoder(as_type), as_type)
        return lambda value: _checked(lambda: msgspec.convert(value, as_type), as_type)
    try:
        import pydantic  # noqa: PLC0415 - an extra, loaded when a type needs it
    except ImportError:
        if isinstance(as_type, type) and as_type in PLAIN:
            return lambda value: _checked(lambda: _plain(value, as_type), as_type)
        raise UsageError(
            f"as_type={as_type!r} needs pydantic to check the value: pip install 'litewf[models]'"
        ) from None
    adapter = _understood(lambda: _adapter(pydantic, as_type), as_type)
    return lambda value: _checked(lambda: adapter.validate_python(value), as_type)


def _holds_struct(msgspec: Any, as_type: Any) -> bool:
    if isinstance(as_type, type) and issubclass(as_type, msgspec.Struct):
        return True
    return any(_holds_struct(msgspec, part) for part in get_args(as_type))


def _adapter(pydantic: Any, as_type: Any) -> Any:
    try:
        adapter = pydantic.TypeAdapter(as_type)
    except pydantic.errors.PydanticSchemaGenerationError:
        if not any(isinstance(part, type) for part in (as_type, *get_args(as_type))):
            raise
        # a class that pydantic knows nothing of: its instances pass, and nothing else
        adapter = pydantic.TypeAdapter(as_type, config=pydantic.ConfigDict(arbitrary_types_allowed=True))
    adapter.rebuild(raise_errors=True)  # names that stand in quotes must exist
    return adapter


def _understood(build: Callable[[], Any], as_type: Any) -> Any:
    try:
        return build()
    except Exception as error:
        raise TypeError(
            f"as_type: {as_type!r} is no type that a value can be checked against: {message_or_repr(error)}"
        ) from error


def _checked(convert: Callable[[], Any], as_type: Any) -> Any:
    try:
        return convert()
    except Exception as error:  # noqa: BLE001 - validators are the user's code; whatever they raise is a refusal
        name = as_type.__qualname__ if isinstance(as_type, type) else repr(as_type)
        raise PayloadError(f"what arrived does not fit {name}: {message_or_repr(error)}") from None


def _plain(value: Any, as_type: Any) -> Any:
    """A value that is of no other class, where pydantic is missing; JSON writes whole floats as it likes."""
    if as_type is object:
        return value
    if as_type is float and type(value) is int:
        return float(value)
    raise TypeError(f"it is {type(value).__name__}")
