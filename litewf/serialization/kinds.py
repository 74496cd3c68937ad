"""How each type of Python's own library is spelled: one table.

`spell` gives what stands behind the tag, made of JSON only; `read` gets the class and that payload, whose
inner values are already read. A type is looked up among loaded modules when it is written, and its module
(named here, never by a text) is imported when it is read."""

from __future__ import annotations

import importlib
import math
import sys
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Iterable
from datetime import timedelta, timezone, tzinfo
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, NamedTuple

from litewf.serialization.refusal import Refusal, short_repr, type_name

if TYPE_CHECKING:
    from litewf.serialization.walk import Walk

_DIGITS_ALWAYS_ALLOWED = 1 << 2_100  # 632 digits; Python's limit for reading an int can be set down to 640
_FACTORIES = {
    each.__name__: each for each in (int, float, str, bool, bytes, list, tuple, dict, set, frozenset, complex)
}


def spell_int(value: int) -> object:
    """A JSON number; past the length that every Python reads, hexadecimal."""
    if -_DIGITS_ALWAYS_ALLOWED < value < _DIGITS_ALWAYS_ALLOWED:
        return value
    return {"$int": hex(value)}


def spell_float(value: float) -> object:
    """A JSON number, which has no NaN and no infinity."""
    return value if math.isfinite(value) else {"$float": repr(value)}


def spell_str(value: str) -> object:
    """JSON text; with Python's escapes where it holds lone surrogates, which UTF-8 cannot hold."""
    return value if is_unicode(value) else {"$str": value.encode("unicode_escape").decode("ascii")}


def is_unicode(value: str) -> bool:
    """Whether UTF-8 can hold the text."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


ATOMS: dict[type, Callable[[Any], object]] = {
    NoneType: lambda value: value,
    bool: lambda value: value,
    int: spell_int,
    float: spell_float,
    str: spell_str,
}


class Kind(NamedTuple):
    """One row: the tag, where the class is found (`module:name`), and both directions."""

    tag: str
    home: str
    spell: Callable[[Walk, Any], object]
    read: Callable[[Any, Any], object]

    def loaded_class(self) -> object:
        """The class, if its module is loaded."""
        module, _, name = self.home.partition(":")
        return getattr(sys.modules.get(module), name, None)


@cache
def class_at(home: str) -> Any:
    """The class that a row of the table names."""
    module, _, name = home.partition(":")
    return getattr(importlib.import_module(module), name)


def leaf(spell: Callable[[Any], object]) -> Callable[[Walk, Any], object]:
    """For types that hold no values of the user."""
    return lambda _walk, value: spell(value)


def call(cls: Any, payload: Any) -> object:
    """`cls(payload)`."""
    return cls(payload)


def spread(cls: Any, payload: Any) -> object:
    """`cls(*payload)`."""
    return cls(*listed(payload))


def collect(cls: Any, payload: Any) -> object:
    """`cls(payload)` for what takes anything that can be iterated."""
    return cls(listed(payload))


def listed(payload: object) -> list[Any]:
    """A payload that must be a list: a range in its place, which a text can name, might never come to its end."""
    if type(payload) is not list:
        raise TypeError(f"a list was expected, not a {type_name(type(payload))}")
    return payload


def pair_up(cls: Any, payload: Any) -> object:
    """`cls(payload)` for mappings: a list of pairs, which are lists, too."""
    return cls(pairs_in(payload))


def pairs_in(payload: object) -> list[list[Any]]:
    """A payload that must be a list of lists."""
    return [listed(pair) for pair in listed(payload)]


# --- spellings that need more than an expression -----------------------------------------------------------


def _base64(value: bytes | bytearray) -> str:
    return b2a_base64(value, newline=False).decode("ascii")


def _from_base64(cls: Any, payload: Any) -> object:
    return cls(a2b_base64(payload, strict_mode=True))


def _unescape(_cls: Any, payload: Any) -> object:
    return payload.encode("ascii").decode("unicode_escape")


def _ints(*values: int) -> list[object]:
    return [spell_int(value) for value in values]


def _spell_timezone(value: timezone) -> object:
    offset = {"$timedelta": _spell_delta(value.utcoffset(None))}
    return [offset] if _is_nameless(value) else [offset, spell_str(value.tzname(None))]


def _is_nameless(value: timezone) -> bool:
    return value.tzname(None) == timezone(value.utcoffset(None)).tzname(None)


def _in_iso(value: timezone) -> bool:
    """Python's reader of ISO text takes an offset of less than a second for UTC."""
    return not value.utcoffset(None).microseconds


def _spell_zone(value: Any) -> object:
    if value.key is None:
        raise Refusal("a ZoneInfo without a key cannot be found again; use ZoneInfo(key)")
    return value.key


def _spell_tz(tz: tzinfo) -> object:
    if type(tz) is timezone:
        return {"$timezone": _spell_timezone(tz)}
    if type(tz) is KIND_BY_TAG["$zoneinfo"].loaded_class():
        return {"$zoneinfo": _spell_zone(tz)}
    raise Refusal(f"the time zone class {type_name(type(tz))} cannot be recorded; use zoneinfo or datetime.timezone")


def _spell_clock(value: Any) -> object:
    """A datetime or a time: ISO text where that says all, else `[text, zone, fold]`."""
    tz = value.tzinfo
    if not value.fold and (tz is None or (type(tz) is timezone and _is_nameless(tz) and _in_iso(tz))):
        return value.isoformat()
    text = value.replace(tzinfo=None, fold=0).isoformat()
    return [text, None if tz is None else _spell_tz(tz), value.fold]


def _read_clock(cls: Any, payload: Any) -> object:
    if isinstance(payload, str):
        return cls.fromisoformat(payload)
    text, tz, fold = payload
    return cls.fromisoformat(text).replace(tzinfo=tz, fold=fold)


def _spell_set(walk: Walk, values: Iterable[object]) -> object:
    return walk.unordered(values)


def _spell_defaultdict(walk: Walk, value: Any) -> object:
    factory = value.default_factory
    if factory is None:
        return [None, walk.pairs(value)]
    name = getattr(factory, "__name__", "")
    if _FACTORIES.get(name) is not factory:
        raise Refusal(f"the default_factory {short_repr(factory)} cannot be recorded; return dict(...) of it")
    return [name, walk.pairs(value)]


def _read_defaultdict(cls: Any, payload: Any) -> object:
    name, pairs = payload
    return cls(None if name is None else _FACTORIES[name], pairs_in(pairs))


def _read_deque(cls: Any, payload: Any) -> object:
    items, maxlen = payload
    return cls(listed(items), maxlen)


def _read_fraction(cls: Any, payload: Any) -> object:
    numerator, denominator = payload
    if type(numerator) is not int or type(denominator) is not int:  # a text such as 1e999999999 takes for ever
        raise TypeError("a fraction is made of two whole numbers")
    return cls(numerator, denominator)


def _spell_slice(walk: Walk, value: Any) -> object:
    return walk.items((value.start, value.stop, value.step))


def _spell_opaque(walk: Walk, value: Any) -> object:
    return walk.items((value.type, value.data))


def _spell_delta(value: timedelta) -> object:
    return [value.days, value.seconds, value.microseconds]


def _paths(*names: str) -> Iterable[Kind]:
    spell = leaf(lambda value: spell_str(str(value)))
    return [Kind(f"${name.lower()}", f"pathlib:{name}", spell, call) for name in names]


KINDS: tuple[Kind, ...] = (
    Kind("$tuple", "builtins:tuple", lambda walk, value: walk.items(value), collect),
    Kind("$set", "builtins:set", _spell_set, collect),
    Kind("$frozenset", "builtins:frozenset", _spell_set, collect),
    Kind("$slice", "builtins:slice", _spell_slice, spread),
    Kind("$bytes", "builtins:bytes", leaf(_base64), _from_base64),
    Kind("$bytearray", "builtins:bytearray", leaf(_base64), _from_base64),
    Kind("$complex", "builtins:complex", leaf(lambda v: [spell_float(v.real), spell_float(v.imag)]), spread),
    Kind("$range", "builtins:range", leaf(lambda v: _ints(v.start, v.stop, v.step)), spread),
    Kind("$datetime", "datetime:datetime", leaf(_spell_clock), _read_clock),
    Kind("$date", "datetime:date", leaf(lambda v: v.isoformat()), lambda cls, text: cls.fromisoformat(text)),
    Kind("$time", "datetime:time", leaf(_spell_clock), _read_clock),
    Kind("$timedelta", "datetime:timedelta", leaf(_spell_delta), spread),
    Kind("$timezone", "datetime:timezone", leaf(_spell_timezone), spread),
    Kind("$zoneinfo", "zoneinfo:ZoneInfo", leaf(_spell_zone), call),
    Kind("$decimal", "decimal:Decimal", leaf(str), call),
    Kind("$fraction", "fractions:Fraction", leaf(lambda v: _ints(v.numerator, v.denominator)), _read_fraction),
    Kind("$uuid", "uuid:UUID", leaf(str), call),
    *_paths("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"),
    Kind("$ordereddict", "collections:OrderedDict", lambda walk, value: walk.pairs(value), pair_up),
    Kind("$counter", "collections:Counter", lambda walk, value: walk.pairs(value), lambda c, p: c(dict(pairs_in(p)))),
    Kind("$defaultdict", "collections:defaultdict", _spell_defaultdict, _read_defaultdict),
    Kind("$deque", "collections:deque", lambda walk, v: [walk.items(v), v.maxlen], _read_deque),
    Kind("$opaque", "litewf.serialization.type_table:Opaque", _spell_opaque, spread),
)

_FORMS_OF_PLAIN_TYPES: tuple[Kind, ...] = (  # read only: these types are written by ATOMS and by Walk
    Kind("$int", "builtins:int", leaf(hex), lambda cls, text: cls(text, 16)),
    Kind("$float", "builtins:float", leaf(repr), call),
    Kind("$str", "builtins:str", leaf(spell_str), _unescape),
    Kind("$dict", "builtins:dict", lambda walk, value: walk.pairs(value), pair_up),
)

KIND_BY_TAG: dict[str, Kind] = {kind.tag: kind for kind in (*KINDS, *_FORMS_OF_PLAIN_TYPES)}
