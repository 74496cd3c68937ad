"""From JSON to values: the hook that the JSON scanner calls for each object, innermost first."""

from __future__ import annotations

from typing import Any

from litewf.errors import UnknownTypeError
from litewf.serialization import exceptions
from litewf.serialization.kinds import KIND_BY_TAG, Kind, class_at, listed
from litewf.serialization.shapes import SHAPE_BY_TAG, Shape, fits
from litewf.serialization.type_table import Opaque, TypeTable


class Reader:
    """Reads tagged objects; a lenient one gives an `Opaque` or a `RemoteError` where a class is unknown."""

    __slots__ = ("_lenient", "_types")

    def __init__(self, types: TypeTable, *, lenient: bool) -> None:
        self._types = types
        self._lenient = lenient

    def hook(self, found: dict[str, Any]) -> object:
        """The value that a JSON object stands for."""
        if len(found) != 1:
            return found
        ((tag, payload),) = found.items()
        if tag[:1] != "$":
            return found
        kind = KIND_BY_TAG.get(tag)
        if kind is not None:
            return self._library_value(kind, payload)
        if tag == exceptions.TAG:
            return exceptions.read_error(self._types, payload, lenient=self._lenient)
        shape = SHAPE_BY_TAG.get(tag)
        if shape is not None:
            return self._instance(shape, *listed(payload))
        if self._lenient:
            return Opaque(tag, payload)
        raise UnknownTypeError(f"the recorded value has the tag {tag}, which this version of litewf does not know")

    def _library_value(self, kind: Kind, payload: Any) -> object:
        try:
            return kind.read(class_at(kind.home), payload)
        except Exception:  # such as a time zone that this machine lacks
            if not self._lenient:
                raise
            return Opaque(kind.home, payload)

    def _instance(self, shape: Shape, name: str, *parts: Any) -> object:
        try:
            return shape.rebuild(self._class(shape, name), *parts)
        except Exception:
            if not self._lenient:
                raise
            return Opaque(name, parts[0] if len(parts) == 1 else list(parts))

    def _class(self, shape: Shape, name: str) -> type:
        cls = self._types.find(name)
        if cls is None:
            raise UnknownTypeError(
                f"the recorded value is a {name}, which this program has not loaded; import its module, or "
                f"register the class that took its place with the alias {name!r}"
            )
        if not fits(shape, cls, self._types):
            raise UnknownTypeError(f"{name} was recorded as {shape.noun} and is none in this program")
        return cls
