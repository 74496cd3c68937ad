"""Errors come back as their own type where that is possible, and are recorded in any case."""

import asyncio
import json
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litewf.errors import NonDeterminismError, RemoteError, StepRetriesExceededError, UnknownTypeError
from litewf.serialization import JsonSerializer, Opaque
from tests.serialization import value_samples as samples
from tests.serialization.value_samples import same

CODEC = JsonSerializer()
LOCK = threading.Lock()


class SilentError(Exception):
    def __str__(self):
        raise ValueError("no message")

    __repr__ = __str__


class UnreducibleError(Exception):
    def __reduce__(self):
        raise ValueError("reduce")


class WordedError(Exception):
    """Has a message of its own, which needs nothing that cannot be recorded."""

    def __init__(self, code, connection):
        super().__init__(code, connection)
        self.connection = connection

    def __str__(self):
        return f"code {self.args[0]}"


class NeedyError(Exception):
    """Its message needs what cannot be recorded."""

    def __init__(self, lock):
        self.lock = lock

    def __str__(self):
        return f"locked: {self.lock.locked()}"


class TracedError(Exception):
    """Its message needs what is never recorded."""

    def __str__(self):
        return f"raised in line {self.__traceback__.tb_lineno}"


def raised(error, cause=None):
    try:
        if cause is None:
            raise error
        raise error from cause
    except BaseException as caught:
        return caught


def both(error):
    text, copy = CODEC.encode_error(error)
    json.loads(text)
    assert same(CODEC.decode_error(text), copy)
    assert same(CODEC.decode_error_lenient(text), copy)
    return copy


def _os_error():
    try:
        Path("/nowhere/at/all").read_text()
    except OSError as error:
        return error


def _attribute_error():
    try:
        LOCK.nothing()
    except AttributeError as error:
        return error


def _blocking():
    error = BlockingIOError(11, "later", 5)
    assert error.characters_written == 5
    return error


def _generic_not_found():
    error = OSError()
    error.errno = 2
    error.args = (2, "No such file")
    return error


def _slotted():
    error = samples.SlottedError("s")
    error.where = ("here",)
    return error


EXACT = [
    *(
        ValueError(),
        ValueError("x"),
        ValueError("x", 1, None),
        KeyError("k"),
        KeyError(("a", 1)),
        ValueError(["a", (1,)]),
    ),
    *(
        SystemExit(),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        asyncio.CancelledError("why"),
        StopIteration(4),
    ),
    *(
        _os_error(),
        FileNotFoundError(2, "No such file", "a", None, "b"),
        OSError("only text"),
        _blocking(),
        _attribute_error(),
        _generic_not_found(),
    ),
    *(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), UnicodeEncodeError("ascii", "é", 0, 1, "bad")),
    *(
        SyntaxError("bad", ("f.py", 3, 1, "x = ", 3, 4)),
        ImportError("no", name="m", path="p"),
        NameError("n", name="x"),
    ),
    *(
        json.JSONDecodeError("msg", "doc", 1),
        subprocess.CalledProcessError(2, ["ls"], b"out"),
        subprocess.TimeoutExpired("a", 3),
    ),
    *(
        samples.DemandingError(7, detail={"a": (1,)}),
        samples.FrozenError(4),
        _slotted(),
        UnreducibleError("x"),
        SilentError("x"),
    ),
    *(
        RemoteError("m:C", "gone"),
        NonDeterminismError("x"),
        StepRetriesExceededError("3 times", [ValueError("a"), KeyError("b")]),
    ),
    ExceptionGroup(
        "g", [ValueError("a"), ExceptionGroup("h", [samples.DemandingError(1, detail=2), OSError(5, "io")])]
    ),
    *(
        OSError(None, None),
        BaseExceptionGroup("g", [KeyboardInterrupt(), ValueError("a")]),
        samples.OwnGroup("own", [ValueError(1)]),
    ),
    *(ValueError("\ud800 \0"), ValueError(float("nan"))),
]


@pytest.mark.parametrize("error", EXACT, ids=lambda error: type(error).__name__)
def test_errors_come_back_as_their_own_type_with_all_they_hold(error):
    copy = both(error)
    assert type(copy) is type(error)
    for name in (
        "errno",
        "strerror",
        "filename",
        "filename2",
        "code",
        "value",
        "start",
        "object",
        "lineno",
        "name",
        "where",
    ):
        assert getattr(copy, name, None) == getattr(error, name, None)
    if not isinstance(error, SilentError):
        assert same(copy, error)


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.none() | st.integers() | st.text() | st.tuples(st.floats(), st.binary()) | st.just(LOCK),
        max_size=3,
    ),
    st.sampled_from([ValueError, KeyError, OSError, LookupError, asyncio.CancelledError, SilentError]),
    st.lists(st.text(), max_size=2),
    st.none() | st.builds(KeyError, st.text()),
    st.booleans(),
)
def test_every_error_is_recorded_with_its_message_notes_and_cause(args, cls, notes, cause, suppress):
    error = cls(*args)
    error.__cause__ = cause
    error.__suppress_context__ = suppress
    for note in notes:
        error.add_note(note)
    copy = both(error)
    assert getattr(copy, "__notes__", []) == notes
    assert same(copy.__cause__, cause)
    assert copy.__suppress_context__ is suppress
    if type(copy) is cls:
        assert cls is SilentError or str(copy) == str(error)
    else:
        assert LOCK in args or LOCK in error.args
        assert copy.type == f"{cls.__module__}:{cls.__qualname__}"
        assert cls is SilentError or copy.message == str(error)


def test_raise_from_none_stays_without_context():
    error = raised(ValueError("x"))
    error.__suppress_context__ = True
    copy = both(error)
    assert copy.__suppress_context__
    assert copy.__cause__ is None


def test_an_error_that_cannot_be_rebuilt_keeps_message_notes_and_cause():
    class LocalError(Exception):
        pass

    error = raised(LocalError("bad"), samples.DemandingError(1, detail=2))
    error.add_note("note")
    copy = both(error)
    assert type(copy) is RemoteError
    assert copy.type.endswith("<locals>.LocalError")
    assert copy.message == "bad"
    assert copy.__notes__ == ["note"]
    assert same(copy.__cause__, samples.DemandingError(1, detail=2))


def test_the_members_of_a_group_that_cannot_be_rebuilt_are_kept():
    class LocalGroup(ExceptionGroup):
        pass

    copy = both(LocalGroup("several", [ValueError("a"), KeyError("b")]))
    assert type(copy) is RemoteError
    assert [repr(each) for each in copy.exceptions] == ["ValueError('a')", "KeyError('b')"]


def test_a_member_that_cannot_be_rebuilt_does_not_cost_its_group():
    copy = both(ExceptionGroup("g", [ValueError(LOCK), KeyError("k")]))
    assert type(copy) is ExceptionGroup
    assert [type(each) for each in copy.exceptions] == [RemoteError, KeyError]


def test_arguments_that_cannot_be_recorded_cost_the_type_only_if_the_message_needs_them():
    copy = both(ValueError("x", LOCK))
    assert type(copy) is RemoteError
    assert copy.message == str(ValueError("x", LOCK))
    copy = both(WordedError(5, LOCK))
    assert type(copy) is WordedError
    assert str(copy) == "code 5"
    assert copy.connection == Opaque("_thread:lock", repr(LOCK))


def test_an_attribute_that_the_message_needs_costs_the_type():
    copy = both(NeedyError(LOCK))
    assert type(copy) is RemoteError
    assert copy.message == "locked: False"


def test_a_message_that_cannot_be_made_again_costs_the_type():
    copy = both(raised(TracedError()))
    assert type(copy) is RemoteError
    assert copy.message.startswith("raised in line")


def test_the_owner_that_an_attribute_error_keeps_is_not_recorded():
    text, copy = CODEC.encode_error(_attribute_error())
    assert "obj" not in json.loads(text)["$error"]["attributes"]
    assert copy.name == "nothing"


def test_a_base_group_whose_members_became_remote_errors_is_a_group():
    class LocalStop(BaseException):
        pass

    copy = both(BaseExceptionGroup("g", [LocalStop("x"), ValueError(1)]))
    assert isinstance(copy, BaseExceptionGroup)
    assert copy.exceptions[0].message == "x"


def test_an_error_whose_message_raises_is_recorded():
    class LocalError(SilentError):
        pass

    assert type(both(SilentError("x"))) is SilentError
    assert type(both(LocalError("x"))) is RemoteError


def test_a_cause_cycle_ends_in_a_remote_error():
    first, second = ValueError("a"), KeyError("b")
    first.__cause__, second.__cause__ = second, first
    copy = both(first)
    assert type(copy) is ValueError
    assert type(copy.__cause__) is KeyError
    assert copy.__cause__.__cause__.type == "builtins:ValueError"
    assert copy.__cause__.__cause__.__cause__ is None
    itself = ValueError("me")
    itself.__cause__ = itself
    assert both(itself).__cause__.message == "me"


def test_a_long_chain_of_causes_is_cut():
    error = ValueError(0)
    for n in range(1, 500):
        error = raised(ValueError(n), error)
    copy, length = both(error), 0
    while copy is not None:
        length, copy = length + 1, copy.__cause__
    assert 50 < length <= 101


def test_a_message_of_ten_megabytes_is_kept():
    message = "x" * 10_000_000
    text, copy = CODEC.encode_error(ValueError(message))
    assert copy.args == (message,)
    assert len(text) < 10_000_200


def test_an_error_caught_on_a_full_stack_is_recorded():
    def descend(levels):
        return descend(levels - 1) if levels else CODEC.encode_error(raised(ValueError("deep"), KeyError("k")))

    import sys

    for room in (250, 120, 90, 75):
        copy = descend(sys.getrecursionlimit() - room)[1]
        assert type(copy) in (ValueError, RemoteError)
        assert "deep" in str(copy)


def test_odd_notes_do_not_stop_the_recording():
    for notes in (5, None, "text", [1, "kept", object()]):
        error = ValueError("x")
        error.__notes__ = notes
        copy = both(error)
        assert getattr(copy, "__notes__", []) == (["kept"] if isinstance(notes, list) else [])


def test_an_error_of_a_class_that_is_gone_is_unknown_or_remote():
    text = CODEC.encode_error(raised(samples.DemandingError(1, detail=2), KeyError("k")))[0].replace(
        "DemandingError", "Gone"
    )
    with pytest.raises(UnknownTypeError, match="tests.serialization.value_samples:Gone"):
        CODEC.decode_error(text)
    copy = CODEC.decode_error_lenient(text)
    assert (type(copy), copy.type, copy.message) == (RemoteError, "tests.serialization.value_samples:Gone", "code 1")
    assert same(copy.__cause__, KeyError("k"))
    assert CODEC.encode_error(copy)[1].message == "code 1"


def test_a_text_that_is_no_error_is_refused_or_remote():
    text = CODEC.encode({"a": 1})[0]
    with pytest.raises(TypeError, match="no error but a dict"):
        CODEC.decode_error(text)
    assert isinstance(CODEC.decode_error_lenient(text), RemoteError)


def test_an_error_with_a_dict_of_errors_keeps_them():
    error = ValueError("x")
    error.per_host = {"a": KeyError("k"), "b": [LOCK]}
    copy = both(error)
    assert same(copy.per_host["a"], KeyError("k"))
    assert copy.per_host["b"] == [Opaque("_thread:lock", repr(LOCK))]
