"""Random values: of every kind that litewf records, of every size that is awkward, and some that it must refuse."""

from __future__ import annotations

import enum
import pathlib
import random
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.serialization import value_samples as samples

Maker = Callable[[random.Random, int], object]
DEEPEST = 5
TEXTS = ("", " ", "$", "$tuple", '"$', "\0", "\ud800", "\udcff", "é", "e\u0301", "\U0001f600", "\u202e", "\\u0000", "a" * 3000,
         "{}", "null", "'; DROP TABLE workflow; --", "%_", "\r\n", "__class__")  # fmt: skip
NUMBERS = (
    0,
    1,
    -1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63),
    -(2**63) - 1,
    10**400,
    10**4300,
    -(10**5000),
    2**2100,
)
FLOATS = (0.0, -0.0, 1.5, 1e308, 5e-324, float("inf"), float("-inf"), float("nan"), 1e16, 0.1)
ZONES = (None, UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Australia/Lord_Howe"), timezone(timedelta(hours=5, minutes=30), "IST"),
         timezone(timedelta(microseconds=1)), timezone(-timedelta(hours=23, minutes=59, seconds=59)))  # fmt: skip
DECIMALS = ("0", "-0", "NaN", "sNaN", "-NaN123", "Infinity", "1E+400", "1.10", "0E-30")
ENUMS = (
    *samples.Colour,
    *samples.Level,
    *samples.Mode,
    samples.Rights(0),
    samples.Rights(3),
    samples.Bits(5),
    samples.Bits(64),
)
PATHS = (pathlib.PurePosixPath, pathlib.PureWindowsPath, pathlib.Path)
FACTORIES = (None, int, list, dict, str, set)


def random_value(chance: random.Random) -> tuple[str, object]:
    """A value, and the kind of its outermost part."""
    maker = chance.choice(MAKERS)
    return maker.__name__.strip("_").replace("_", " "), maker(chance, chance.randint(0, DEEPEST))


def _any(chance: random.Random, depth: int) -> object:
    return chance.choice(MAKERS if depth > 0 else ATOMS)(chance, depth - 1)


def _several(chance: random.Random, depth: int) -> list[object]:
    return [_any(chance, depth) for _ in range(chance.choice([0, 1, 1, 2, 3]))]


def _hashable(chance: random.Random, depth: int) -> object:
    return chance.choice([*HASHABLES, _a_frozen_dataclass_of_atoms, _a_tuple_of_atoms])(chance, depth - 1)


def _hashables(chance: random.Random, depth: int) -> list[object]:
    return [_hashable(chance, depth) for _ in range(chance.choice([0, 1, 2, 3]))]


# --- atoms --------------------------------------------------------------------------------------------------------


def _none_or_bool(chance: random.Random, _depth: int) -> object:
    return chance.choice([None, True, False])


def _int(chance: random.Random, _depth: int) -> object:
    return chance.choice([chance.choice(NUMBERS) + chance.randint(-1, 1), chance.getrandbits(chance.randint(1, 4000))])


def _float(chance: random.Random, _depth: int) -> object:
    return chance.choice(
        [chance.choice(FLOATS), chance.uniform(-1e9, 1e9), chance.random() * 10 ** chance.randint(-300, 300)]
    )


def _text(chance: random.Random, _depth: int) -> object:
    drawn = "".join(
        chr(chance.choice([chance.randrange(0x80), chance.randrange(0x110000)])) for _ in range(chance.randrange(9))
    )
    return chance.choice([chance.choice(TEXTS), drawn, chance.choice(TEXTS) + drawn])


def _bytes(chance: random.Random, _depth: int) -> object:
    return chance.choice([bytes, bytearray, bytes])(chance.randbytes(chance.choice([0, 1, 7, 300])))


def _complex(chance: random.Random, _depth: int) -> object:
    return complex(chance.choice(FLOATS), chance.choice(FLOATS))


def _decimal_or_fraction(chance: random.Random, _depth: int) -> object:
    if chance.random() < 0.3:
        return Fraction(chance.choice(NUMBERS), chance.choice([1, 3, 10**30]))
    return Decimal(chance.choice([*DECIMALS, str(chance.uniform(-9, 9))]))


def _moment(chance: random.Random, _depth: int) -> object:
    day = date(
        chance.choice([1, 1970, 2038, 9999, chance.randint(1, 9999)]), chance.randint(1, 12), chance.randint(1, 28)
    )
    clock = time(chance.randrange(24), chance.randrange(60), chance.randrange(60), chance.choice([0, 1, 999_999]))
    clock = clock.replace(tzinfo=chance.choice(ZONES), fold=chance.randrange(2))
    return chance.choice([day, clock, datetime.combine(day, clock), datetime.combine(day, clock)])


def _duration(chance: random.Random, _depth: int) -> object:
    return chance.choice([timedelta.max, timedelta.min, timedelta(microseconds=chance.randint(-(10**12), 10**12))])


def _zone(chance: random.Random, _depth: int) -> object:
    return chance.choice(ZONES)


def _uuid(chance: random.Random, _depth: int) -> object:
    return UUID(int=chance.getrandbits(128))


def _enum(chance: random.Random, _depth: int) -> object:
    return chance.choice(ENUMS)


def _path(chance: random.Random, _depth: int) -> object:
    return chance.choice(PATHS)(
        *chance.choices(["a", "..", "/", "C:", "x y", "\udcff", "é", "."], k=chance.randrange(4))
    )


def _range(chance: random.Random, _depth: int) -> object:
    return range(chance.randint(-5, 5), chance.choice(NUMBERS), chance.choice([1, -2, 10**30]))


ATOMS: tuple[Maker, ...] = (_none_or_bool, _int, _float, _text, _bytes, _complex, _decimal_or_fraction, _moment, _duration, _zone,
                            _uuid, _enum, _path, _range)  # fmt: skip
HASHABLES = tuple(
    maker for maker in ATOMS if maker not in (_bytes, _decimal_or_fraction)
)  # a bytearray, a signalling NaN


def _a_frozen_dataclass_of_atoms(chance: random.Random, depth: int) -> object:
    return samples.Key(_text(chance, depth), _int(chance, depth))


def _a_tuple_of_atoms(chance: random.Random, depth: int) -> object:
    return tuple(chance.choice(HASHABLES)(chance, depth) for _ in range(chance.randrange(3)))


# --- containers ---------------------------------------------------------------------------------------------------


def _list(chance: random.Random, depth: int) -> object:
    return _several(chance, depth)


def _tuple(chance: random.Random, depth: int) -> object:
    return tuple(_several(chance, depth))


def _dict(chance: random.Random, depth: int) -> object:
    keys = [_text, _text, _hashable] if chance.random() < 0.5 else [_text]
    pairs = [(chance.choice(keys)(chance, depth), _any(chance, depth)) for _ in range(chance.randrange(4))]
    return chance.choice([dict, dict, OrderedDict])(pairs)


def _set(chance: random.Random, depth: int) -> object:
    return chance.choice([set, frozenset])(_hashables(chance, depth))


def _counter(chance: random.Random, depth: int) -> object:
    return Counter(_hashables(chance, depth))


def _defaultdict(chance: random.Random, depth: int) -> object:
    return defaultdict(chance.choice(FACTORIES), [(key, _any(chance, depth)) for key in _hashables(chance, depth)])


def _deque(chance: random.Random, depth: int) -> object:
    return deque(_several(chance, depth), chance.choice([None, 0, 2, 9]))


def _slice(chance: random.Random, depth: int) -> object:
    return slice(_any(chance, depth), _any(chance, depth), None)


def _named_tuple(chance: random.Random, depth: int) -> object:
    return chance.choice([samples.Pair, samples.Point])(_any(chance, depth), _any(chance, depth))


def _dataclass(chance: random.Random, depth: int) -> object:
    made = chance.choice([samples.Order, samples.Key, samples.Box])(_any(chance, depth))
    if type(made) is samples.Order and chance.random() < 0.2:
        made.more = _any(chance, depth)  # an attribute that is no field
    return made


def _attrs(chance: random.Random, depth: int) -> object:
    return chance.choice([samples.Slotted, samples.Hashed, samples.Loose])(_any(chance, depth))


def _struct(chance: random.Random, depth: int) -> object:
    return samples.Struct(_any(chance, depth))


def _model(chance: random.Random, depth: int) -> object:
    inner = _any(chance, depth)
    if chance.random() < 0.3:
        return samples.Roots([inner])
    made = samples.Model(a=inner, b=_any(chance, depth))
    if chance.random() < 0.5:
        made._secret = inner  # noqa: SLF001 - a private attribute belongs to the value
    return made


def _handle(chance: random.Random, depth: int) -> object:
    return samples.Handle(_any(chance, depth))


def _error(chance: random.Random, depth: int) -> object:
    inner = _any(chance, depth)
    made: list[Callable[[], BaseException]] = [
        lambda: ValueError(inner), lambda: samples.DemandingError(1, detail=inner), KeyError,
        lambda: ExceptionGroup("several", [ValueError(inner), OSError(2, "none", "file")]), lambda: samples.FrozenError(1),
        lambda: StopIteration(inner), lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), lambda: SystemExit(3),
    ]  # fmt: skip
    error = chance.choice(made)()
    if chance.random() < 0.3 and not isinstance(error, samples.FrozenError):
        error.add_note(str(_text(chance, 0)))
        error.__cause__ = RuntimeError("cause")
    return error


# --- what must be refused -----------------------------------------------------------------------------------------


class _Hidden(enum.Enum):
    A = 1


def _refused(chance: random.Random, depth: int) -> object:
    """Something that cannot come back, somewhere inside."""
    culprit = chance.choice([
        lambda: None, threading.Lock(), (each for each in ()), object(), memoryview(b"x"), type, random, samples.Plain(1, 2),
        _in_itself(), _deep(), _local(),
    ])  # fmt: skip
    return culprit if depth <= 0 else chance.choice([list, tuple])([_any(chance, depth - 1), culprit])


def _in_itself() -> list[object]:
    ring: list[object] = []
    ring.append(ring)
    return ring


def _deep() -> object:
    value: object = 1
    for _ in range(2_000):
        value = [value]
    return value


def _local() -> object:
    class Local:
        __litewf_encode__ = None

    return Local()


MAKERS: tuple[Maker, ...] = (*ATOMS, _list, _list, _tuple, _dict, _dict, _set, _counter, _defaultdict, _deque, _slice, _named_tuple,
                             _dataclass, _attrs, _struct, _model, _handle, _error, _refused)  # fmt: skip
