"""What the engine asks of a codec; `JsonSerializer` is the one that is used unless another is given."""

from __future__ import annotations

from typing import Protocol

METHODS = ("encode", "decode", "decode_lenient", "encode_error", "decode_error", "decode_error_lenient")


class Serializer(Protocol):
    """Turns values into text and back. A result must depend on the value alone: replays compare texts."""

    def encode(self, value: object) -> tuple[str, object]:
        """The text, and the copy that a replay would see. Raises `SerializationError` with the path."""
        ...

    def decode(self, text: str) -> object:
        """The value. Raises `UnknownTypeError` for a class that is not loaded, else `SerializationError`."""
        ...

    def decode_lenient(self, text: str) -> object:
        """The value, with an `Opaque` in place of each part whose class this program lacks."""
        ...

    def encode_error(self, error: BaseException) -> tuple[str, BaseException]:
        """The text, and the copy that a replay would see. Never raises: an error must always be recorded."""
        ...

    def decode_error(self, text: str) -> BaseException:
        """The error. Raises `UnknownTypeError` for a class that is not loaded."""
        ...

    def decode_error_lenient(self, text: str) -> BaseException:
        """The error, or a `RemoteError` where this program lacks its class."""
        ...


def check_serializer(serializer: object) -> None:
    """Refuse what cannot be a serializer; None is none."""
    if serializer is None:
        return
    missing = [name for name in METHODS if not callable(getattr(serializer, name, None))]
    if isinstance(serializer, type) or missing:
        lacks = f", which lacks {', '.join(missing)}" if missing else ": make one of it"
        raise TypeError(f"serializer is an object with the methods of litewf.Serializer, not {serializer!r:.80}{lacks}")
