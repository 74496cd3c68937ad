"""A serializer as one is that encrypts: its texts are no JSON, differ each time, and nothing but itself can read them."""

from itertools import count

from litewf.errors import SerializationError
from litewf.serialization import JsonSerializer, TypeTable

SEAL = "sealed:"
_numbers = count(1)  # of the seals


class SealedSerializer:
    """litewf's own codec behind a seal."""

    def __init__(self, types: TypeTable) -> None:
        self._own = JsonSerializer(types)

    def encode(self, value: object) -> tuple[str, object]:
        text, copy = self._own.encode(value)
        return _sealed(text), copy

    def decode(self, text: str) -> object:
        return self._own.decode(_opened(text))

    def decode_lenient(self, text: str) -> object:
        return self._own.decode_lenient(_opened(text))

    def encode_error(self, error: BaseException) -> tuple[str, BaseException]:
        text, copy = self._own.encode_error(error)
        return _sealed(text), copy

    def decode_error(self, text: str) -> BaseException:
        return self._own.decode_error(_opened(text))

    def decode_error_lenient(self, text: str) -> BaseException:
        return self._own.decode_error_lenient(_opened(text))


def _sealed(text: str) -> str:
    return f"{SEAL}{next(_numbers)}:{text[::-1]}"


def _opened(text: str) -> str:
    if not text.startswith(SEAL):
        raise SerializationError(f"nobody sealed this text: {text!r}")
    return text.removeprefix(SEAL).partition(":")[2][::-1]
