"""One pass over a value that spells it as JSON: lists, dicts with text keys, numbers, text, tagged objects.

A strict pass raises `Refusal` at the first part that has no spelling. A forgiving pass (for errors, which
must always be recorded) puts a stand-in there and counts it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from litewf.errors import SerializationError
from litewf.serialization import exceptions, shapes
from litewf.serialization.kinds import ATOMS, KINDS, is_unicode, spell_str
from litewf.serialization.refusal import Refusal, short_repr, type_name, unsupported
from litewf.serialization.text import write_json
from litewf.serialization.type_table import TypeTable, default_name

MAX_DEPTH = 100  # a level is up to three of JSON: reading back fits Python's stack wherever it is called
Writer = Callable[["Walk", Any], object]

_TEXT = frozenset((str,))


class Walk:
    """Made per value; `writers` is kept by the codec, and remembers how each class is written."""

    __slots__ = ("_active", "_writers", "decode", "forgiving", "stand_ins", "types")

    def __init__(
        self,
        types: TypeTable,
        writers: dict[type, Writer],
        decode: Callable[[str], object],
        *,
        forgiving: bool,
    ) -> None:
        self.types = types
        self.decode = decode
        self.forgiving = forgiving
        self.stand_ins = 0
        self._writers = writers
        self._active: set[int] = set()

    def write(self, value: object) -> object:
        """The value as JSON."""
        atom = ATOMS.get(type(value))
        if atom is not None:
            return atom(value)
        key = id(value)
        try:
            self._check_nesting(key, type(value))
            self._active.add(key)
            try:
                return self._writer(type(value))(self, value)
            finally:
                self._active.discard(key)
        except Exception as error:
            refusal = _refusal_of(error, type(value))
            if not self.forgiving:
                if refusal is error:
                    raise
                raise refusal from error
            return self._stand_in(value)

    def items(self, values: Iterable[object]) -> list[object]:
        """Values in order; a refusal's path gets `[index]`."""
        written: list[object] = []
        try:
            for value in values:
                written.append(self.write(value))  # noqa: PERF401 - the length is the index of the culprit
        except Refusal as refusal:
            refusal.path.append(f"[{len(written)}]")
            raise
        return written

    def unordered(self, values: Iterable[object]) -> list[object]:
        """Values of a set, in the order of their texts: a set's own order differs between processes."""
        written = [self.inner(value, value, "{%s}") for value in values]
        return written if len(written) < 2 else sorted(written, key=write_json)

    def mapping(self, values: Mapping[Any, object]) -> object:
        """A dict: an object where its keys allow that, else pairs behind a tag."""
        if not is_object(values):
            return {"$dict": self.pairs(values)}
        key = None
        written: dict[str, object] = {}
        try:
            for key, value in values.items():
                written[key] = self.write(value)
        except Refusal as refusal:
            refusal.path.append(f"[{_quoted(key)}]")
            raise
        return written

    def pairs(self, values: Mapping[Any, object]) -> list[object]:
        """A dict as `[[key, value], ...]`."""
        return [[self.inner(key, key, ".keys(){%s}"), self.inner(value, key, "[%s]")] for key, value in values.items()]

    def attributes(self, values: Mapping[str, object]) -> object:
        """Attributes by name; a refusal's path gets `.name`."""
        written = {name: self.attribute(name, value) for name, value in values.items()}
        return written if is_object(written) else {"$dict": [[spell_str(k), v] for k, v in written.items()]}

    def attribute(self, name: str, value: object) -> object:
        """One attribute; a refusal's path gets `.name`."""
        try:
            return self.write(value)
        except Refusal as refusal:
            refusal.path.append(f".{name}")
            raise

    def inner(self, value: object, key: object, segment: str) -> object:
        """One value; a refusal's path gets `segment`, in which `%s` stands for the key."""
        try:
            return self.write(value)
        except Refusal as refusal:
            refusal.path.append(segment % _quoted(key))
            raise

    def _check_nesting(self, key: int, cls: type) -> None:
        if key in self._active:
            raise Refusal(f"this {type_name(cls)} contains itself; a value must be a tree")
        if len(self._active) >= MAX_DEPTH:
            raise Refusal(f"nested more than {MAX_DEPTH} deep; return a flatter value")

    def _writer(self, cls: type) -> Writer:
        writer = self._writers.get(cls)
        if writer is None:
            writer = self._writers[cls] = _find_writer(cls, self.types)
        return writer

    def _stand_in(self, value: object) -> object:
        self.stand_ins += 1
        if issubclass(type(value), BaseException):
            return exceptions.spell_remote(value)  # type: ignore[arg-type] # a BaseException by its type
        return {"$opaque": [spell_str(default_name(type(value))), spell_str(short_repr(value))]}


def is_object(values: Mapping[Any, object]) -> bool:
    """Whether a dict can be a JSON object: its keys are text, and none could be taken for a tag."""
    return _TEXT.issuperset(map(type, values)) and all(key[:1] != "$" and is_unicode(key) for key in values)


def _find_writer(cls: type, types: TypeTable) -> Writer:
    if cls is list:
        return Walk.items
    if cls is dict:
        return Walk.mapping
    for kind in KINDS:
        if kind.loaded_class() is cls:
            return _tagged(kind.tag, kind.spell)
    if exceptions.is_error(cls):
        return exceptions.spell_error
    shape = shapes.shape_of(cls, types)
    if shape is None:
        raise unsupported(cls)
    return _named(shape)


def _tagged(tag: str, spell: Writer) -> Writer:
    return lambda walk, value: {tag: spell(walk, value)}


def _named(shape: shapes.Shape) -> Writer:
    def write(walk: Walk, value: object) -> object:
        return {shape.tag: [walk.types.name_of(type(value)), *shape.spell(walk, value)]}

    return write


def _refusal_of(error: Exception, cls: type) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, SerializationError):
        return Refusal(str(error))
    if isinstance(error, RecursionError):
        return Refusal("nested too deep for Python's stack; return a flatter value")
    message = exceptions.message_or_repr(error)
    return Refusal(f"{type_name(cls)} raised {type_name(type(error))} while it was recorded: {message}")


def _quoted(key: object) -> str:
    return write_json(key) if type(key) is str and is_unicode(key) else short_repr(key)
