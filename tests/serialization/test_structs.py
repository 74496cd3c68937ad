"""Msgspec Structs come back as they were, and say so when the class has changed."""

import msgspec
import pytest

from litewf.errors import SerializationError, UnknownTypeError
from litewf.serialization import JsonSerializer, Opaque, TypeTable
from tests.serialization import value_samples as samples

CODEC = JsonSerializer(TypeTable())


def changed(struct, fields):
    """The text of a sample, read by a program in which its class has other fields."""
    text = CODEC.encode(struct)[0]
    cls = msgspec.defstruct("Changed", fields)
    types = TypeTable()
    types.register(cls, name=f"tests.serialization.value_samples:{type(struct).__name__}")
    return JsonSerializer(types), text


@pytest.mark.parametrize(
    "value", [samples.Struct(1), samples.Struct((1, {2}), samples.Struct(None)), [samples.OpenStruct(1)]]
)
def test_a_struct_round_trips(value):
    text, copy = CODEC.encode(value)
    assert CODEC.decode(text) == copy == value
    assert type(CODEC.decode(text)) is type(value)


def test_what_a_struct_holds_beside_its_fields_comes_back():
    value = samples.OpenStruct(1)
    value.note = ("more",)
    assert CODEC.encode(value)[1].note == ("more",)


def test_the_fields_come_back_as_they_were_whatever_the_constructor_does():
    value = samples.Counting(1)
    assert value.n == 2
    assert CODEC.encode(value)[1].n == 2


def test_a_field_that_the_class_gained_gets_its_default():
    codec, text = changed(samples.Struct(1), ["a", "b", ("c", int, 7)])
    assert codec.decode(text).c == 7


@pytest.mark.parametrize("fields", [["a"], ["a", "b", "c"]])
def test_a_field_that_is_gone_or_new_without_a_default_is_refused(fields):
    codec, text = changed(samples.Struct(1), fields)
    with pytest.raises(UnknownTypeError, match="does not fit the class as it is now"):
        codec.decode(text)
    assert isinstance(codec.decode_lenient(text), Opaque)


def test_a_value_that_cannot_be_recorded_is_named_by_its_path():
    with pytest.raises(SerializationError, match=r"value\.a: "):
        CODEC.encode(samples.Struct(object()))
