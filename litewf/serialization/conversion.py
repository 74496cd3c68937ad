"""`as_type=`: a value that arrived, as the type that the caller asks for, or a clear refusal.

A value that is of the class already passes as it is. Anything else is left to the library whose type it is: msgspec for
its Structs, pydantic for models, dataclasses, unions, TypedDicts and all other type forms.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from litewf.errors import PayloadError, UsageError

if TYPE_CHECKING:  # what a type checker needs to know of as_type: a type form, and Any where there is none
    from typing_extensions import TypeForm as TypeForm  # noqa: PLC0414 - exported
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")
    TypeForm = type


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
        if library is None:
            raise _need_pydantic(as_type)
        return library(value)

    return convert


def _library(as_type: Any) -> Callable[[Any], Any] | None:
    msgspec = sys.modules.get("msgspec")  # whoever has a Struct has loaded it
    if msgspec is not None and isinstance(as_type, type) and issubclass(as_type, msgspec.Struct):
        return lambda value: _checked(lambda: msgspec.convert(value, as_type), as_type, msgspec.ValidationError)
    try:
        import pydantic  # noqa: PLC0415 - an extra, loaded when a type needs it
    except ImportError:
        if isinstance(as_type, type):
            return None  # a value of that class needs no library
        raise _need_pydantic(as_type) from None
    try:
        adapter = pydantic.TypeAdapter(as_type)
    except pydantic.errors.PydanticUserError as error:
        raise TypeError(f"as_type: {as_type!r} is no type that a value can be checked against: {error}") from error
    return lambda value: _checked(lambda: adapter.validate_python(value), as_type, pydantic.ValidationError)


def _checked(convert: Callable[[], Any], as_type: Any, refusal: type[Exception]) -> Any:
    try:
        return convert()
    except refusal as error:
        name = getattr(as_type, "__qualname__", None) or repr(as_type)
        raise PayloadError(f"what arrived does not fit {name}: {error}") from None


def _need_pydantic(as_type: Any) -> UsageError:
    return UsageError(f"as_type={as_type!r} needs pydantic to check the value: pip install 'litewf[models]'")
