"""Classes that the tests record, one of each shape, and what counts as the same value."""

import dataclasses
import enum
import struct
from collections import OrderedDict, defaultdict, deque, namedtuple
from datetime import datetime, time, timezone
from decimal import Decimal
from functools import cached_property
from typing import Any, Generic, NamedTuple, TypeVar

import attrs
import msgspec
import pydantic

from litewf.serialization.exceptions import message_of

T = TypeVar("T")


class Colour(enum.Enum):
    RED = 1
    BLUE = ("b", 2)
    CRIMSON = 1  # noqa: PIE796 - an alias is recorded as the member it stands for


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.StrEnum):
    FAST = "fast"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Bits(enum.IntFlag):
    A = 1
    B = 4


class Pair(NamedTuple):
    left: Any
    right: Any = None


Point = namedtuple("Point", "x y")  # noqa: PYI024 - the old form is recorded too


@dataclasses.dataclass
class Order:
    id: Any
    price: Any = None
    lines: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Key:
    name: Any
    size: Any = 0


@dataclasses.dataclass
class Computed:
    """Its constructor takes what it does not keep, and sets what is no field."""

    base: dataclasses.InitVar[int]
    doubled: int = dataclasses.field(init=False)

    def __post_init__(self, base):
        self.doubled = base * 2
        self.trail = [base]

    @cached_property
    def expensive(self):
        return lambda: self.doubled


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


@attrs.define
class Slotted:
    a: Any
    _b: Any = attrs.field(default=None)


@attrs.frozen(cache_hash=True)
class Hashed:
    a: Any


@attrs.define(slots=False)
class Loose:
    a: Any
    b: Any = attrs.Factory(lambda self: [self.a], takes_self=True)


class Struct(msgspec.Struct, frozen=True):
    a: Any
    b: Any = msgspec.field(default_factory=list)


class OpenStruct(msgspec.Struct, dict=True):
    a: int


class Counting(msgspec.Struct):
    """Its constructor changes what it is given."""

    n: int

    def __post_init__(self):
        self.n += 1


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    a: Any
    b: Any = 0
    c: list[Any] = pydantic.Field(default_factory=list)
    _secret: Any = pydantic.PrivateAttr(default=None)
    _unset: int


class OpenModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    a: Any


class Strict(pydantic.BaseModel):
    """Validating what it holds again would refuse it, or change it."""

    n: int

    @pydantic.field_validator("n")
    @classmethod
    def _add_one(cls, n):
        return n + 1


class Frozen(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)
    a: Any


class Roots(pydantic.RootModel[list[Any]]):
    pass


class SecretRoots(pydantic.RootModel[list[Any]]):
    _secret: Any = pydantic.PrivateAttr(default=None)


@pydantic.dataclasses.dataclass
class Checked:
    n: int


class Handle:
    """Says itself how it is recorded."""

    def __init__(self, id):
        self.id = id

    def __eq__(self, other):
        return type(other) is Handle and other.id == self.id

    def __hash__(self):
        return hash(self.id)

    def __repr__(self):
        return f"Handle({self.id!r})"

    def __litewf_encode__(self):
        return {"id": self.id}

    @classmethod
    def __litewf_decode__(cls, data):
        return cls(data["id"])


class Plain:
    """Recorded only once it is registered."""

    __slots__ = ("__dict__", "__hidden")

    def __init__(self, a, hidden):
        self.a = a
        self.__hidden = hidden


class DemandingError(Exception):
    """Cannot be made from its args."""

    def __init__(self, code, *, detail):
        super().__init__(f"code {code}")
        self.code = code
        self.detail = detail


class SlottedError(Exception):
    __slots__ = ("where",)


class OwnGroup(ExceptionGroup):
    def derive(self, excs):
        return OwnGroup(self.message, excs)


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    code: int


def same(a, b):
    """Whether both are equal and of the same type, all the way down; NaN is the same as NaN, 0.0 not as -0.0."""
    if type(a) is not type(b):
        return False
    if a is b:
        return True
    for types, compare in _COMPARISONS:
        if isinstance(a, types):
            return compare(a, b)
    return same(_state(a), _state(b)) if _is_record(type(a)) else bool(a == b)


def _is_record(cls):
    return dataclasses.is_dataclass(cls) or attrs.has(cls) or issubclass(cls, msgspec.Struct) or cls is Plain


def _state(value):
    if isinstance(value, msgspec.Struct) and not hasattr(value, "__dict__"):
        return msgspec.structs.asdict(value)
    names = [n for base in type(value).__mro__ for n in vars(base).get("__slots__", ())]
    names = [f"_Plain{n}" if n.startswith("__") and not n.endswith("__") else n for n in names]
    skipped = ("__dict__", "__weakref__", "__orig_class__", "_attrs_cached_hash", "expensive")
    found = {n: getattr(value, n) for n in [*names, *getattr(value, "__dict__", {})] if n not in skipped}
    return dict(sorted(found.items()))


def _same_items(a, b):
    return len(a) == len(b) and all(map(same, a, b))


def _same_set(a, b):
    return len(a) == len(b) and all(any(same(x, y) for y in b) for x in a)


def _same_dict(a, b):
    factory = getattr(a, "default_factory", None) is getattr(b, "default_factory", None)
    return factory and _same_items(list(a), list(b)) and _same_items(list(a.values()), list(b.values()))


def _same_clock(a, b):
    return a.replace(tzinfo=None) == b.replace(tzinfo=None) and a.fold == b.fold and same(a.tzinfo, b.tzinfo)


def _same_model(a, b):
    parts = ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
    return all(same(getattr(a, part), getattr(b, part)) for part in parts)


def _same_error(a, b):
    kept = (
        {k: v for k, v in vars(a).items() if k != "__notes__"},
        {k: v for k, v in vars(b).items() if k != "__notes__"},
    )
    return (
        (message_of(a) == message_of(b) or not all(isinstance(arg, str) for arg in a.args))  # a set has no order
        and (isinstance(a, BaseExceptionGroup) or same(a.args, b.args))
        and same(*kept)
        and getattr(a, "__notes__", []) == getattr(b, "__notes__", [])
        and same(a.__cause__, b.__cause__)
        and a.__suppress_context__ == b.__suppress_context__
        and same(getattr(a, "exceptions", None), getattr(b, "exceptions", None))
    )


_COMPARISONS = (
    (BaseException, _same_error),
    (enum.Enum, lambda a, b: not isinstance(a, enum.Flag) or a.value == b.value),
    (float, lambda a, b: (a != a and b != b) or struct.pack("d", a) == struct.pack("d", b)),
    (complex, lambda a, b: same((a.real, a.imag), (b.real, b.imag))),
    (Decimal, lambda a, b: a.as_tuple() == b.as_tuple()),
    ((datetime, time), _same_clock),
    (timezone, lambda a, b: a == b and a.tzname(None) == b.tzname(None)),
    (range, lambda a, b: (a.start, a.stop, a.step) == (b.start, b.stop, b.step)),
    (slice, lambda a, b: same((a.start, a.stop, a.step), (b.start, b.stop, b.step))),
    (deque, lambda a, b: a.maxlen == b.maxlen and _same_items(a, b)),
    ((list, tuple), _same_items),
    ((dict, OrderedDict, defaultdict), _same_dict),
    ((set, frozenset), _same_set),
    (pydantic.BaseModel, _same_model),
    (Handle, lambda a, b: same(a.id, b.id)),
)
