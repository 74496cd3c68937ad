"""Which CloudEvents a wait selects: conditions on the data, and the one by which an event finds the wait.

A wait registers under its most telling condition; an event carries every condition that it meets. So an event looks up
the waits that it may end, however many others wait for its type.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from litewf.serialization.kinds import is_unicode
from litewf.serialization.plain import plain

MOST_BITS = 1024  # of a whole number: the largest float has as many
LONGEST_INDEX = 9  # digits

Scalar = str | int | float | bool | None
Conditions = Mapping[str, tuple[Scalar, ...]]  # dotted path → the values of which it must be one


def as_conditions(where: Mapping[str, object] | None) -> Conditions:
    """The conditions of `where`, checked."""
    if where is None:
        return {}
    if not isinstance(where, Mapping):
        raise TypeError(f"where is a mapping of dotted paths to values, not {type(where).__name__}")
    return {_checked_path(path): _allowed(path, value) for path, value in where.items()}


def _checked_path(path: object) -> str:
    if not isinstance(path, str):
        raise TypeError(f"where: a path is text, not {type(path).__name__}")
    if not path or not all(path.split(".")) or not is_unicode(path):
        raise ValueError(f"where: {path!r} is no path; write the keys with dots in between, such as 'order.id'")
    return path


def _allowed(path: str, value: object) -> tuple[Scalar, ...]:
    if not isinstance(value, list | tuple | set | frozenset):
        return (_checked_scalar(path, value),)
    if not value:
        raise ValueError(f"where: {path!r} has an empty list, which nothing can match")
    return tuple(_checked_scalar(path, one) for one in value)


def _checked_scalar(path: str, value: object) -> Scalar:
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise ValueError(f"where: {path!r} is compared with a number of {value.bit_length()} bits, which is too large")
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise TypeError(
        f"where: {path!r} is compared with text, a finite number, a bool or None (or a list of these), not {value!r}"
    )


def meets(data: Any, conditions: Conditions) -> bool:
    """Whether the data has one of the allowed values at every path."""
    return all(_spelled(_at(data, path)) in map(_spelled, allowed) for path, allowed in conditions.items())


class _Absent:
    """What is at a path that the data does not have."""


ABSENT: Any = _Absent()


def _at(data: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(data, dict) and part in data:
            data = data[part]
        elif isinstance(data, list) and (index := _index(part)) is not None and index < len(data):
            data = data[index]
        else:
            return ABSENT
    return data


def _index(part: str) -> int | None:
    """The place in a list, spelled as `_leaves` spells it: a wait under another spelling would never wake."""
    if not part.isdecimal() or len(part) > LONGEST_INDEX:
        return None
    index = int(part)
    return index if str(index) == part else None


def _spelled(value: Any) -> str | None:
    """A scalar as text, 1 and 1.0 alike, True and 1 not; None for what is no scalar."""
    if value is None or isinstance(value, str | bool | int):
        return json.dumps(value)
    if isinstance(value, float):
        return json.dumps(int(value) if value.is_integer() else value)
    return None


def most_telling(conditions: Conditions, source: str | None, subject: str | None) -> tuple[str, ...]:
    """The condition under which a wait registers; () if it has none but the type."""
    for path, allowed in sorted(conditions.items()):
        if len(allowed) == 1:
            return (path, str(_spelled(allowed[0])))
    if subject is not None:
        return ("", "subject", subject)
    if source is not None:
        return ("", "source", source)
    return ()


def conditions_met(source: str, subject: str | None, data: str) -> Sequence[tuple[str, ...]]:
    """Every condition under which a wait for this event may have registered."""
    met: list[tuple[str, ...]] = [(), ("", "source", source)]
    if subject is not None:
        met.append(("", "subject", subject))
    met += _leaves(plain(data), "")
    return met


def _leaves(data: Any, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(data, dict | list):
        parts = data.items() if isinstance(data, dict) else ((str(at), one) for at, one in enumerate(data))
        for name, held in parts:
            yield from _leaves(held, f"{prefix}.{name}" if prefix else str(name))
    elif prefix and (spelled := _spelled(data)) is not None:
        yield prefix, spelled
