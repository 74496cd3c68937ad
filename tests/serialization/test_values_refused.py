"""What cannot come back is refused where it was made, by a message that names the place and what to do."""

import asyncio
import dataclasses
import io
import json
import sys
import threading
from collections import UserDict, defaultdict

import pytest

from litewf.errors import SerializationError, UnknownTypeError
from litewf.serialization import JsonSerializer
from tests.serialization import value_samples as samples

CODEC = JsonSerializer()


class Text(str):
    __slots__ = ()


class Table(dict):
    pass


class Raises:
    """Everything about it raises."""

    def __eq__(self, other):
        raise ValueError("eq")

    def __hash__(self):
        return 1

    def __repr__(self):
        raise ValueError("repr")

    def __json__(self):
        raise ValueError("json")

    def __reduce__(self):
        raise ValueError("reduce")

    @property
    def __class__(self):
        raise ValueError("class")


class FailsUnreadably:
    """It raises, when it is read, what cannot be shown."""

    def __litewf_encode__(self):
        return "something"

    @classmethod
    def __litewf_decode__(cls, data):
        raise KeyError(Raises())


@dataclasses.dataclass
class TableWithField(dict):
    a: int


class BadProtocol:
    def __litewf_encode__(self):
        raise KeyError("nothing here")

    @classmethod
    def __litewf_decode__(cls, data):
        return cls()


class WrongType(BadProtocol):
    def __litewf_encode__(self):
        return 1

    @classmethod
    def __litewf_decode__(cls, data):
        return data


class HalfProtocol:
    def __litewf_encode__(self):
        return 1


class Unhashable(type):
    __hash__ = None

    def __eq__(cls, other):
        return False


class OfUnhashableType(metaclass=Unhashable):
    pass


async def coroutine():
    pass


def _coroutine():
    made = coroutine()
    made.close()
    return made


CASES = [
    (lambda: 1, "value: function .*return its name"),
    (len, "value: builtin_function_or_method"),
    (sys, "value: module"),
    (int, "value: type .*return its name"),
    (samples.Order, "value: type"),
    ((n for n in range(3)), r"value: generator .*return list\(\.\.\.\)"),
    (iter([1]), "value: list_iterator"),
    (_coroutine(), "value: coroutine"),
    (io.StringIO(), "value: _io.StringIO"),
    (
        threading.Lock(),
        "value: _thread.lock .*return plain data, a dataclass, or give the class __litewf_encode__",
    ),
    (object(), "value: object"),
    (..., "value: ellipsis"),
    (NotImplemented, "value: NotImplementedType"),
    (memoryview(b"a"), r"value: memoryview .*bytes\(\.\.\.\)"),
    (Text("a"), r"value: tests.serialization.test_values_refused.Text .*str\(\.\.\.\)"),
    (Table(a=1), r"value: tests.serialization.test_values_refused.Table .*dict\(\.\.\.\)"),
    (
        TableWithField(1),
        r"value: tests.serialization.test_values_refused.TableWithField cannot be recorded; return dict",
    ),
    (UserDict(a=1), "value: collections.UserDict"),
    (samples.Plain(1, 2), "value: tests.serialization.value_samples.Plain"),
    (Raises(), "value: tests.serialization.test_values_refused.Raises"),
    ([Raises()], r"value\[0\]: tests.serialization.test_values_refused.Raises"),
    ({Raises(): 1}, r"value.keys\(\)\{<tests.serialization.test_values_refused.Raises>\}: "),
    (
        BadProtocol(),
        "value: tests.serialization.test_values_refused.BadProtocol raised KeyError while it was recorded: 'nothing here'",
    ),
    ([WrongType()], "WrongType.__litewf_decode__ returned int"),
    (HalfProtocol(), "lacks the classmethod __litewf_decode__"),
    (OfUnhashableType(), "value: "),
    (defaultdict(lambda: 1), "value: the default_factory"),
    (sys.version_info, "value: sys.version_info"),
    (asyncio.Lock(), "value: asyncio.locks.Lock"),
]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[message.split(" .")[0] for _, message in CASES])
def test_values_that_are_no_data_are_refused(number):
    value, message = CASES[number]
    with pytest.raises(SerializationError, match=message) as caught:
        CODEC.encode(value)
    assert not isinstance(caught.value, UnknownTypeError)


LOCK = threading.Lock()
PLACES = [
    ({"items": [1, 2, 3, samples.Order(1, LOCK)]}, 'value["items"][3].price: '),
    ([0, (1, [LOCK])], "value[1][1][0]: "),
    ({"a b": {"é": LOCK}}, 'value["a b"]["é"]: '),
    ({1: {None: LOCK}}, "value[1][None]: "),
    ({"$x": LOCK}, 'value["$x"]: '),
    ({(1, 2): LOCK}, "value[(1, 2)]: "),
    (samples.Pair(1, {"k": LOCK}), 'value.right["k"]: '),
    (samples.Slotted(LOCK), "value.a: "),
    (samples.Model(a=[LOCK]), "value.a[0]: "),
    (ValueError("x", [LOCK]), "value.args[1][0]: "),
    ([samples.DemandingError(1, detail=LOCK)], "value[0].detail: "),
    (ExceptionGroup("g", [KeyError(LOCK)]), "value.exceptions[0].args[0]: "),
    (samples.Handle([LOCK]), 'value["id"][0]: '),
]


@pytest.mark.parametrize(("value", "place"), PLACES, ids=[place for _, place in PLACES])
def test_the_message_names_the_place_inside_the_value(value, place):
    with pytest.raises(SerializationError) as caught:
        CODEC.encode(value)
    assert str(caught.value).startswith(place)
    assert "_thread.lock" in str(caught.value)


def test_the_members_of_a_set_are_named_by_what_they_are():
    with pytest.raises(SerializationError, match=r'^value\["s"\]\{<function test_'):
        CODEC.encode({"s": {1, test_values_that_are_no_data_are_refused}})


def _cycles():
    items = []
    items.append(items)
    yield items, r"value\[0\]: this list contains itself"
    table = {}
    table["k"] = [table]
    yield table, r'value\["k"\]\[0\]: this dict contains itself'
    order = samples.Order(1)
    order.price = (order,)
    yield order, r"value.price\[0\]: this tests.serialization.value_samples.Order contains itself"
    error = ValueError("x")
    error.__cause__ = KeyError("y")
    error.__cause__.__cause__ = error
    yield error, "value.__cause__.__cause__: this ValueError contains itself"


@pytest.mark.parametrize(("value", "message"), list(_cycles()), ids=["list", "dict", "dataclass", "cause"])
def test_cycles_are_refused(value, message):
    with pytest.raises(SerializationError, match=message):
        CODEC.encode(value)


def _deep(wrap, levels):
    value = 1
    for _ in range(levels):
        value = wrap(value)
    return value


WRAPS = [lambda v: [v], lambda v: (v,), lambda v: {"a": v}, lambda v: {1: v}, samples.Key, ValueError]


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("levels", [101, 10_000])
def test_values_nested_too_deep_are_refused_by_a_short_message(wrap, levels):
    if wrap is ValueError and levels > 101:
        levels = 150  # freeing ten thousand nested errors overflows the C stack of some Pythons
    with pytest.raises(SerializationError, match="nested more than 100 deep") as caught:
        CODEC.encode(_deep(wrap, levels))
    assert len(str(caught.value)) < 1_500


def test_a_stack_that_is_nearly_full_gives_a_refusal():
    def at_depth(levels):
        return at_depth(levels - 1) if levels else CODEC.encode(_deep(lambda v: (v,), 90))

    with pytest.raises(SerializationError, match="stack|recursion"):
        at_depth(sys.getrecursionlimit() - 200)


def test_a_class_from_a_function_is_refused_with_what_to_do():
    @dataclasses.dataclass
    class Local:
        a: int

    with pytest.raises(SerializationError, match=r"value\[0\]: .*Local is defined inside a function.*register"):
        CODEC.encode([Local(1)])


def test_an_attribute_that_is_no_field_is_recorded_or_refused_but_never_lost():
    order = samples.Order(1)
    order.note = (1,)
    assert CODEC.encode(order)[1].note == (1,)
    order.note = LOCK
    with pytest.raises(SerializationError, match=r"value\.note"):
        CODEC.encode(order)
    model = samples.OpenModel(a=1)
    model.__dict__["stray"] = 1
    with pytest.raises(SerializationError, match="'stray' is no field"):
        CODEC.encode(model)


BROKEN = [
    "",
    "{",
    "nope",
    "NaN",
    "[Infinity]",
    '{"$tuple":5}',
    '{"$decimal":"x"}',
    '{"$bytes":"***"}',
    '{"$uuid":[]}',
]
BROKEN += [
    '{"$dataclass":[]}',
    '{"$dataclass":5}',
    '{"$enum":[7]}',
    '{"$error":{}}',
    '{"$error":7}',
    '{"$set":[[]]}',
    "[1] 2",
]
BROKEN += ['{"$range":["a"]}', "[" * 100_000, '{"$dict":[1]}', '{"$defaultdict":["eval",[]]}', "1" * 5_000]


@pytest.mark.parametrize("text", BROKEN, ids=lambda text: text[:20])
def test_broken_text_raises_one_kind_of_error(text):
    with pytest.raises(SerializationError):
        CODEC.decode(text)
    with pytest.raises(SerializationError):
        CODEC.decode_error(text)


def test_a_class_that_fails_with_an_error_that_cannot_be_shown_is_refused_like_any_other():
    name = f"{FailsUnreadably.__module__}:{FailsUnreadably.__qualname__}"
    with pytest.raises(SerializationError, match="cannot be read: KeyError$"):
        CODEC.decode(json.dumps({"$custom": [name, "something"]}))
    with pytest.raises(SerializationError, match="it does not come back: .*KeyError"):
        CODEC.encode(FailsUnreadably())
