"""Hypothesis strategies for whatever litewf takes: values, ids, names, durations, queues, schedules.

    from litewf.testing import strategies as wf

    @given(wf.workflow_ids(), wf.payloads())
    def test_whatever_comes_in(workflow_id, payload): ...

Each draws only what litewf accepts, and often what programs forget: lone surrogates, NaN, huge numbers, odd zones.
"""

from __future__ import annotations

import pathlib
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from litewf.cron import FIELDS, parse
from litewf.durations import Duration
from litewf.records import RateLimit
from litewf.registry import NAME_LIMIT, is_own

T = TypeVar("T")
Wrap = Callable[[SearchStrategy[Any]], SearchStrategy[Any]]
POWERS = ((2, 63), (10, 400), (10, 4299), (10, 4300), (10, 5000), (2, 2100))  # where libraries reach a limit
ODD_TEXTS = ("$", "$tuple", '"$', "\0", "\ud83d\ude00", "é")
ODD_NAMES = ("é", "e\u0301", "Order-1", "order-1", "../x", "a'b", 'a"b', "100%", "_", "a b", "0", "007", "😀", "a:b/c")
ODD_OFFSETS = ((0, 0), (-3600, 0), (1, 1), (0, 1), (0, -1), (-86399, 0))
SHORT = 3  # items of a container


# --- names --------------------------------------------------------------------------------------------------------


def names(longest: int = 20) -> SearchStrategy[str]:
    """Names of queues, topics, events and streams: printable text without blanks at its ends."""
    drawn = st.text(st.characters(codec="utf-8"), min_size=1, max_size=longest).map(_printable)
    return st.one_of(drawn, st.sampled_from(ODD_NAMES), st.just("n" * NAME_LIMIT)).filter(
        lambda name: bool(name) and not is_own(name)
    )


def _printable(text: str) -> str:
    return "".join(filter(str.isprintable, text)).strip()


def workflow_ids(longest: int = 20) -> SearchStrategy[str]:
    """Ids that a program may give."""
    return names(longest).map(lambda name: name.replace("~", "-"))


def topics() -> SearchStrategy[str | None]:
    """What a message is sent on; None is a topic of its own."""
    return st.none() | names()


# --- time ---------------------------------------------------------------------------------------------------------


def durations(longest: float = 86_400.0, *, least: float = 0.0) -> SearchStrategy[Duration]:
    """Seconds or timedeltas."""
    return st.one_of(
        st.floats(least, longest, allow_nan=False),
        st.integers(-int(-least // 1), int(longest)),
        st.timedeltas(timedelta(seconds=least), timedelta(seconds=longest)),
    )


def zones() -> SearchStrategy[tzinfo]:
    """Time zones: with a name, and with odd offsets."""
    named = [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("UTC"), timezone(timedelta(hours=5, minutes=30), "IST")]
    odd = [timezone(timedelta(seconds=seconds, microseconds=us)) for seconds, us in ODD_OFFSETS]
    return st.sampled_from([*named, *odd])


def datetimes() -> SearchStrategy[datetime]:
    """With a zone or without, also the second of two that look alike."""
    return st.builds(_placed, st.datetimes(), st.none() | zones(), st.integers(0, 1))


def times() -> SearchStrategy[time]:
    """Of a day, as datetimes."""
    return st.builds(_placed, st.times(), st.none() | zones(), st.integers(0, 1))


def _placed(moment: Any, zone: tzinfo | None, fold: int) -> Any:
    return moment.replace(tzinfo=zone, fold=fold)


def crons(*, seconds: bool = False) -> SearchStrategy[str]:
    """Cron expressions of five fields, or of six with the seconds first."""
    fields = FIELDS if seconds else FIELDS[1:]
    return st.tuples(*(_cron_field(field.low, field.high) for field in fields)).map(" ".join).filter(_is_cron)


def _cron_field(low: int, high: int) -> SearchStrategy[str]:
    value = st.integers(low, high)
    span = st.tuples(value, value).map(sorted).map(lambda ends: f"{ends[0]}-{ends[1]}")
    step = st.integers(2, max(high // 2, 2)).map(lambda every: f"*/{every}")
    return st.one_of(st.just("*"), value.map(str), span, step, st.lists(value, min_size=1, max_size=SHORT).map(_joined))


def _joined(values: list[int]) -> str:
    return ",".join(map(str, values))


def _is_cron(text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


# --- queues -------------------------------------------------------------------------------------------------------


def limits(most: int = 3) -> SearchStrategy[int | None]:
    """A count that bounds something, or None."""
    return st.none() | st.integers(1, most)


def rate_limits(most: int = 3, longest: float = 60.0) -> SearchStrategy[RateLimit]:
    """So many starts in a period of at least a second."""
    return st.builds(RateLimit, st.integers(1, most), durations(longest, least=1.0))


def queue_limits(most: int = 3) -> SearchStrategy[dict[str, Any]]:
    """Keyword arguments of `create_queue`."""
    return st.fixed_dictionaries({
        "global_concurrency": limits(most),
        "worker_concurrency": limits(most),
        "partition_concurrency": limits(most),
        "max_tasks_per_iteration": st.sampled_from([None, 1]),
        "rate_limit": st.none() | rate_limits(most),
        "priority_enabled": st.booleans(),
    })  # fmt: skip


def queue_options(*, priority: bool = True, longest_delay: float = 60.0) -> SearchStrategy[dict[str, Any]]:
    """Options with which a workflow is put on a queue; few different ones, so that they meet."""
    options: dict[str, SearchStrategy[Any]] = {
        "partition_key": st.sampled_from(["x", "y"]),
        "deduplication_id": st.sampled_from(["d", "e"]),
        "delay": durations(longest_delay),
    }
    if priority:
        options["priority"] = st.integers(1, 3)
    return st.fixed_dictionaries({}, optional=options)


# --- values -------------------------------------------------------------------------------------------------------


def texts() -> SearchStrategy[str]:
    """Text that JSON, UTF-8 or litewf's own tags might trip over."""
    return st.text(st.characters(codec=None), max_size=8) | st.sampled_from(ODD_TEXTS)


def huge_integers() -> SearchStrategy[int]:
    """Numbers around those at which libraries reach a limit."""
    return st.builds(
        lambda sign, power, more: sign * (int(power[0]) ** int(power[1]) + more),
        st.sampled_from([1, -1]),
        st.sampled_from(POWERS),
        st.sampled_from([-1, 0, 1]),
    )


def paths() -> SearchStrategy[pathlib.PurePath]:
    """Paths of this system and of others."""
    kinds: list[type[pathlib.PurePath]] = [pathlib.Path, pathlib.PurePosixPath, pathlib.PureWindowsPath]
    parts = st.lists(st.sampled_from(["a", "..", "/", "C:", "x y", "\udcff", "é"]), max_size=SHORT)
    return st.builds(lambda cls, parts: cls(*parts), st.sampled_from(kinds), parts)


def plain_values() -> SearchStrategy[Any]:
    """Single values of Python's own types."""
    return st.one_of(
        st.none(), st.booleans(), st.integers(), huge_integers(), st.floats(), texts(), st.binary(max_size=8),
        st.complex_numbers(),
    )  # fmt: skip


def library_values() -> SearchStrategy[Any]:
    """Single values of types from the standard library."""
    return st.one_of(
        datetimes(), times(), zones(), st.dates(), st.timedeltas(), st.decimals(), st.fractions(), st.uuids(), paths(),
        st.builds(range, st.integers(-5, 5), st.integers(-5, 5), st.integers(1, 3)),
        st.binary(max_size=8).map(bytearray),
    )  # fmt: skip


def hashable_values(extra: SearchStrategy[Any] | None = None, wrap: Wrap | None = None) -> SearchStrategy[Any]:
    """What may be a key of a dict; see `payloads` for the parameters."""

    def inside(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
        tuples = st.lists(inner, max_size=SHORT).map(tuple)
        own = tuples | st.frozensets(inner, max_size=SHORT)
        return own if wrap is None else own | wrap(inner)

    return st.recursive(_single(extra).filter(_is_hashable), inside, max_leaves=4)


def payloads(
    extra: SearchStrategy[Any] | None = None,
    *,
    keys: SearchStrategy[Any] | None = None,
    wrap: Wrap | None = None,
    largest: int = 8,
) -> SearchStrategy[Any]:
    """Whatever can be an argument, a result, a message: values of every kind, in containers of every kind.

    `extra` are values of your own types, `wrap` makes values of your own types from strategies for what is in them,
    `keys` are the keys of dicts, and `largest` bounds how many values are in one.
    """
    hashable = hashable_values() if keys is None else keys

    def inside(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
        own = containers(inner, hashable)
        return own if wrap is None else own | wrap(inner)

    return st.recursive(_single(extra), inside, max_leaves=largest)


def containers(inner: SearchStrategy[Any], keys: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Containers from Python's own library around other values."""
    several = st.lists(inner, max_size=SHORT)
    return st.one_of(
        several,
        several.map(tuple),
        st.dictionaries(texts(), inner, max_size=SHORT),
        st.dictionaries(keys, inner, max_size=SHORT),
        st.sets(keys, max_size=SHORT),
        st.frozensets(keys, max_size=SHORT),
        st.builds(deque, several, st.none() | st.integers(0, 3)),
        st.dictionaries(keys, inner, max_size=2).map(OrderedDict),
        st.dictionaries(keys, st.integers(-2, 2), max_size=2).map(Counter),
        st.builds(defaultdict, st.sampled_from([None, int, list, dict]), st.dictionaries(texts(), inner, max_size=2)),
        st.builds(slice, inner, inner, inner),
    )


def _single(extra: SearchStrategy[Any] | None) -> SearchStrategy[Any]:
    own = plain_values() | library_values()
    return own if extra is None else own | extra


def _is_hashable(value: object) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
