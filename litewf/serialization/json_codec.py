"""`JsonSerializer`: values to JSON text and back.

Most values of a workflow are None, a number, a text, or plain lists and dicts of those. They take the short
way: one look at their types, then the encoder written in C. All others are walked in Python."""

from __future__ import annotations

import json
import json.encoder
from collections.abc import Callable, Iterable
from types import NoneType
from typing import Any

from litewf.errors import RemoteError, SerializationError
from litewf.serialization import exceptions
from litewf.serialization.kinds import is_unicode
from litewf.serialization.reader import Reader
from litewf.serialization.refusal import Refusal, short_repr, type_name
from litewf.serialization.text import write_json
from litewf.serialization.type_table import Opaque, TypeTable
from litewf.serialization.walk import MAX_DEPTH, Walk, Writer

NULL = "null"  # what most steps and many workflows return
_MARK = '"$'  # stands before each tag; a text without it is plain JSON
_WORD = 1 << 63
_PLAIN_TYPES = frozenset((NoneType, bool, int, float, str))
_TEXT = frozenset((str,))
_quote: Callable[[str], str] = json.encoder.encode_basestring


class JsonSerializer:
    """The codec in use unless another is given. Safe to share between threads.

    `types` are the classes that were registered; every class at the top of a loaded module is found without.
    """

    def __init__(self, types: TypeTable | None = None) -> None:
        self.types = types if types is not None else TypeTable()
        self._writers: dict[type, Writer] = {}
        self._plain = json.JSONDecoder(parse_constant=_refuse_constant)
        self._strict = json.JSONDecoder(
            object_hook=Reader(self.types, lenient=False).hook, parse_constant=_refuse_constant
        )
        self._lenient = json.JSONDecoder(
            object_hook=Reader(self.types, lenient=True).hook, parse_constant=_refuse_constant
        )

    def encode(self, value: Any) -> tuple[str, object]:
        """The text, and the copy that a replay would see. Raises `SerializationError` with the path."""
        if value is None:
            return NULL, None
        cls = type(value)
        if cls is str:
            if value.isascii():
                return _quote(value), value
        elif cls is int:
            if -_WORD <= value < _WORD:
                return repr(value), value
        elif cls is bool:
            return ("true" if value else "false"), value
        elif cls is float and value - value == 0.0:
            return repr(value), value
        return self._encoded(value)

    def decode(self, text: str) -> object:
        """The value. Raises `UnknownTypeError` for a class that is not loaded, else `SerializationError`."""
        return None if text == NULL else _read(self._strict if _has_mark(text) else self._plain, text)

    def decode_lenient(self, text: str) -> object:
        """The value, with an `Opaque` in place of each part whose class this program lacks."""
        return None if text == NULL else _read(self._lenient if _has_mark(text) else self._plain, text)

    def encode_error(self, error: BaseException) -> tuple[str, BaseException]:
        """The text, and the copy that a replay would see. Never raises: an error must always be recorded.

        An error that cannot come back as its own class with the same message becomes a `RemoteError`.
        """
        try:
            text = write_json(Walk(self.types, self._writers, self.decode, forgiving=True).write(error))
            return text, self.decode_error(text)
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - classes of the user take part, and the error must be recorded
            text = write_json(exceptions.spell_remote(error))
            return text, self.decode_error(text)

    def decode_error(self, text: str) -> BaseException:
        """The error. Raises `UnknownTypeError` for a class that is not loaded."""
        error = self.decode(text)
        if isinstance(error, BaseException):
            return error
        raise SerializationError(f"the recorded text is no error but a {type_name(type(error))}")

    def decode_error_lenient(self, text: str) -> BaseException:
        """The error, or a `RemoteError` where this program lacks its class."""
        error = self.decode_lenient(text)
        if isinstance(error, BaseException):
            return error
        named = error.type if isinstance(error, Opaque) else None
        return RemoteError(named if isinstance(named, str) else type_name(type(error)), short_repr(error))

    def _encoded(self, value: object) -> tuple[str, object]:
        """Whatever is more than a simple value."""
        try:
            copy = value if type(value) in _PLAIN_TYPES else _plain_copy(value, MAX_DEPTH - 1)
            text = None if copy is None else _plain_text(copy)  # not of the value, which others may change meanwhile
            if text is not None:
                return text, copy
            text = write_json(Walk(self.types, self._writers, self.decode, forgiving=False).write(value))
        except Refusal as refusal:
            raise refusal.as_error() from refusal.__cause__
        except (RecursionError, ValueError, TypeError, RuntimeError) as error:
            raise SerializationError(f"value: cannot be recorded: {exceptions.message_or_repr(error)}") from error
        try:
            return text, self.decode(text)
        except SerializationError as error:
            raise SerializationError(f"value: it does not come back: {error}") from error


def _plain_copy(value: object, depth: int) -> list[object] | dict[str, object] | None:
    """A deep copy of a list or dict that is made of JSON's own types, exactly; None for any other value.

    C compares the types, a container at a time.
    """
    copy: list[object] | dict[str, object]
    if type(value) is list:
        copy = value.copy()
        places: Iterable[Any] = enumerate(copy)
        plain = _PLAIN_TYPES.issuperset(map(type, copy))
    elif type(value) is dict and _TEXT.issuperset(map(type, value)):
        copy = value.copy()
        places = copy.items()
        plain = _PLAIN_TYPES.issuperset(map(type, copy.values()))
    else:
        return None
    if plain:
        return copy
    if depth == 0:
        return None
    for place, inner in places:
        if type(inner) not in _PLAIN_TYPES:
            inner_copy = _plain_copy(inner, depth - 1)
            if inner_copy is None:
                return None
            copy[place] = inner_copy  # of a place that is there, which may be done while one goes through them
    return copy


def _plain_text(value: object) -> str | None:
    """The JSON text; None for what plain JSON cannot hold: NaN, huge ints, lone surrogates, a `$` mark."""
    try:
        text = write_json(value)
    except ValueError:
        return None
    return text if _MARK not in text and is_unicode(text) else None


def _has_mark(text: str) -> bool:
    try:
        return _MARK in text
    except TypeError as error:  # a damaged file: its column holds something else
        raise SerializationError(f"the recorded text is no text but {type(text).__name__}") from error


def _read(decoder: json.JSONDecoder, text: str) -> object:
    try:
        text = text.strip()  # it may have been edited by hand
        value, end = decoder.raw_decode(text)
    except SerializationError:
        raise
    except Exception as error:
        raise SerializationError(f"the recorded text cannot be read: {exceptions.described(error)}") from error
    if end != len(text):
        raise SerializationError("the recorded text cannot be read: something follows the value")
    return value


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
