"""Why a value cannot be recorded, and where inside the value that is.

A `Refusal` is raised at the culprit and gathers the path on its way out; the codec then raises it as
`SerializationError`. It never leaves this package.
"""

from __future__ import annotations

from types import FunctionType, GeneratorType, ModuleType

from litewf.errors import SerializationError

_BUILTINS = (str, bytes, bytearray, int, float, complex, list, tuple, dict, set, frozenset)
_LONGEST_PATH = 40  # segments that a message shows
_LONGEST_REPR = 200


class Refusal(Exception):  # noqa: N818 - a control-flow signal inside this package, not an error for users
    """`path` holds the segments from the culprit outwards."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[str] = []

    def as_error(self) -> SerializationError:
        segments = self.path[::-1]
        if len(segments) > _LONGEST_PATH:
            half = _LONGEST_PATH // 2
            segments = [*segments[:half], " ... ", *segments[-half:]]
        return SerializationError(f"value{''.join(segments)}: {self.reason}")


def unsupported(cls: type) -> Refusal:
    """The refusal of a value whose type has no spelling, with what to do about it."""
    return Refusal(f"{type_name(cls)} cannot be recorded; {_advice(cls)}")


def type_name(cls: type) -> str:
    """The class as a reader of the message would write it."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def short_repr(value: object) -> str:
    """`repr`, cut to a line, for values whose `__repr__` may raise."""
    try:
        text = repr(value)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - a user's __repr__ may raise anything
        return f"<{type_name(type(value))}>"
    return text if len(text) <= _LONGEST_REPR else f"{text[:_LONGEST_REPR]}..."


def _advice(cls: type) -> str:
    if issubclass(cls, GeneratorType) or hasattr(cls, "__next__"):
        return "an iterator is read once: return list(...) of it"
    if issubclass(cls, memoryview):
        return "return bytes(...) of it"
    if issubclass(cls, FunctionType | ModuleType | type):
        return "code is not data: return its name"
    for base in _BUILTINS:
        if issubclass(cls, base):
            return f"return {base.__name__}(...) of it, or give the class __litewf_encode__"
    return "return plain data, a dataclass, or give the class __litewf_encode__"
