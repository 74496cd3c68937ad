"""Which class a name means, and what happens to records of classes that changed or went."""

import dataclasses
import enum
import subprocess
import sys
import types

import pytest

from litewf.errors import RegistrationError, SerializationError, UnknownTypeError
from litewf.serialization import JsonSerializer, Opaque, TypeTable
from tests.serialization import value_samples as samples
from tests.serialization.value_samples import same


def codec_with(*classes, **names):
    table = TypeTable()
    for cls in classes:
        table.register(cls, **names)
    return JsonSerializer(table)


def test_a_class_is_named_by_module_and_qualname():
    table = TypeTable()
    assert table.name_of(samples.Order) == "tests.serialization.value_samples:Order"
    assert table.find("tests.serialization.value_samples:Order") is samples.Order
    assert table.find("builtins:ValueError") is ValueError


@pytest.mark.parametrize(
    "name",
    [
        "",
        ":",
        "tests.serialization.value_samples",
        "tests.serialization.value_samples:",
        "tests.serialization.value_samples:Gone",
        "gone:Order",
        "os:system",
    ],
)
def test_names_of_no_class_find_nothing(name):
    assert TypeTable().find(name) is None


def test_a_nested_class_is_found():
    assert TypeTable().name_of(Outer.Inner) == "tests.serialization.test_class_names:Outer.Inner"
    assert TypeTable().find("tests.serialization.test_class_names:Outer.Inner") is Outer.Inner


class Outer:
    @dataclasses.dataclass
    class Inner:
        a: int


def test_one_name_belongs_to_one_class():
    table = TypeTable()
    table.register(samples.Order, name="order", aliases=["old.order"])
    table.register(samples.Order, name="order")
    for names in ({"name": "order"}, {"name": "key", "aliases": ["old.order"]}):
        with pytest.raises(RegistrationError, match=r"already belongs to tests.serialization.value_samples\.Order"):
            table.register(samples.Key, **names)
    assert table.find("key") is None
    with pytest.raises(RegistrationError, match="is not a class"):
        table.register(samples.same)


def test_a_registered_name_is_written_and_its_aliases_are_read():
    codec = codec_with(samples.Order, name="order", aliases=["shop:Purchase"])
    text, copy = codec.encode(samples.Order(1))
    assert '"order"' in text
    assert same(copy, samples.Order(1))
    assert same(codec.decode(text.replace('"order"', '"shop:Purchase"')), samples.Order(1))
    plain = JsonSerializer().encode(samples.Order(1))[0]
    assert same(codec.decode(plain), samples.Order(1))


def test_a_class_from_a_function_works_once_it_is_registered():
    @dataclasses.dataclass
    class Local:
        a: int

    class Choice(enum.Enum):
        A = 1

    class LocalError(Exception):
        pass

    codec = codec_with(Local, Choice, LocalError)
    assert codec.encode([Local(1), Choice.A])[1] == [Local(1), Choice.A]
    assert type(codec.encode_error(LocalError("x"))[1]) is LocalError


def test_a_registered_class_without_fields_is_recorded_by_its_attributes():
    value = samples.Plain((1,), {"b": 2})
    with pytest.raises(SerializationError, match="Plain cannot be recorded"):
        JsonSerializer().encode(value)
    text, copy = codec_with(samples.Plain).encode(value)
    assert same(copy, value)
    with pytest.raises(UnknownTypeError, match="none in this program"):
        JsonSerializer().decode(text)


def test_a_name_that_two_classes_share_is_refused():
    twin = dataclasses.make_dataclass("Order", ["id"])
    twin.__module__ = "tests.serialization.value_samples"
    with pytest.raises(SerializationError, match="shares that name with another class"):
        JsonSerializer().encode(twin(1))
    orphan = dataclasses.make_dataclass("Orphan", ["id"])
    orphan.__module__ = "tests.serialization.value_samples"
    with pytest.raises(SerializationError, match="not found under that name"):
        JsonSerializer().encode(orphan(1))


PROGRAM = """
import dataclasses, sys
sys.path.insert(0, {root!r})
from litewf.serialization import JsonSerializer
@dataclasses.dataclass
class Task:
    n: int
text, copy = JsonSerializer().encode(Task(1))
assert type(copy) is Task
print(text)
"""


@pytest.mark.parametrize("as_module", [False, True])
def test_the_program_itself_has_the_name_by_which_others_import_it(tmp_path, as_module):
    import litewf.serialization

    root = litewf.serialization.__file__.rsplit("/", 3)[0]
    (tmp_path / "jobs.py").write_text(PROGRAM.format(root=root))
    how = ["-m", "jobs"] if as_module else ["jobs.py"]
    done = subprocess.run([sys.executable, *how], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '{"$dataclass":["jobs:Task",{"n":1}]}'


VALUES = [
    samples.Order(1, (2,)),
    samples.Key(1),
    samples.Colour.RED,
    samples.Pair(1, (2,)),
    samples.Slotted(1),
    samples.Model(a=(1,)),
    samples.Handle(1),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_class_that_is_gone_is_unknown_or_opaque(value):
    codec = JsonSerializer()
    name = type(value).__qualname__
    text = codec.encode({"k": [value, 1]})[0].replace(f":{name}", ":Gone")
    with pytest.raises(
        UnknownTypeError, match="tests.serialization.value_samples:Gone, which this program has not loaded"
    ):
        codec.decode(text)
    found = codec.decode_lenient(text)
    assert found["k"][1] == 1
    opaque = found["k"][0]
    assert type(opaque) is Opaque
    assert opaque.type == "tests.serialization.value_samples:Gone"
    assert same(codec.encode(opaque)[1], opaque)


def test_the_data_of_an_opaque_is_read():
    codec = JsonSerializer()
    assert codec.decode_lenient('{"$dataclass":["gone:C",{"a":{"$tuple":[1]}}]}') == Opaque("gone:C", {"a": (1,)})
    assert codec.decode_lenient('{"$set":[{"$enum":["gone:E","A"]}]}') == {Opaque("gone:E", "A")}
    assert codec.decode_lenient('{"$dict":[[{"$namedtuple":["gone:N",{"a":[]}]},1]]}') == {
        Opaque("gone:N", {"a": []}): 1
    }


def test_a_tag_of_a_later_version_is_unknown_or_opaque():
    codec = JsonSerializer()
    with pytest.raises(UnknownTypeError, match=r"\$later"):
        codec.decode('[{"$later":[1]}]')
    assert codec.decode_lenient('[{"$later":[1]}]') == [Opaque("$later", [1])]


def test_a_time_zone_that_this_machine_lacks_is_refused_or_opaque():
    codec = JsonSerializer()
    with pytest.raises(SerializationError, match="No time zone"):
        codec.decode('{"$zoneinfo":"Mars/Base"}')
    assert codec.decode_lenient('{"$zoneinfo":"Mars/Base"}') == Opaque("zoneinfo:ZoneInfo", "Mars/Base")


def changed(old, new, text_of):
    """What reading the record of `old` gives once its name means `new`."""
    text = codec_with(old, name="thing").encode(text_of)[0]
    return codec_with(new, name="thing"), text


def test_a_field_that_a_class_gained_gets_its_default():
    import attrs
    import pydantic

    old = dataclasses.make_dataclass("T", ["a"])
    new = dataclasses.make_dataclass("T", ["a", ("b", int, 5), ("c", list, dataclasses.field(default_factory=list))])
    codec, text = changed(old, new, old(1))
    assert codec.decode(text) == new(1)
    codec, text = changed(samples.Slotted, attrs.make_class("S", {"a": attrs.field(), "_b": attrs.field(), "c": attrs.field(default=3)}),
                          samples.Slotted(1, 2))  # fmt: skip
    assert codec.decode(text).c == 3
    model = pydantic.create_model("M", a=(int, ...), z=(list, pydantic.Field(default_factory=list)))
    codec, text = changed(samples.OpenModel, model, samples.OpenModel(a=1))
    assert codec.decode(text) == model(a=1)
    assert codec.decode(text).model_fields_set == {"a"}


def test_a_field_that_a_class_gained_without_default_or_lost_is_refused():
    old = dataclasses.make_dataclass("T", ["a", "b"])
    for new, message in (
        (dataclasses.make_dataclass("T", ["a", "b", "c"]), "nothing was recorded for its field 'c'"),
        (dataclasses.make_dataclass("T", ["a"]), "it has no field 'b'"),
    ):
        codec, text = changed(old, new, old(1, 2))
        with pytest.raises(UnknownTypeError, match=message):
            codec.decode(text)
        assert codec.decode_lenient(text) == Opaque("thing", {"a": 1, "b": 2})
    codec, text = changed(samples.Pair, samples.Point, samples.Pair(1, 2))
    with pytest.raises(UnknownTypeError, match="field 'left'"):
        codec.decode(text)
    codec, text = changed(samples.Model, samples.OpenModel, samples.Model(a=1))
    with pytest.raises(UnknownTypeError, match="it has no field 'b'"):
        codec.decode(text)


def test_a_member_that_an_enum_lost_is_unknown_or_opaque():
    renamed = enum.Enum("Colour", {"SCARLET": 1})
    codec, text = changed(samples.Colour, renamed, samples.Colour.RED)
    with pytest.raises(UnknownTypeError, match="lacks 'RED'"):
        codec.decode(text)
    assert codec.decode_lenient(text) == Opaque("thing", "RED")
    for member in ("1", '"_member_map_"', "null"):
        with pytest.raises(UnknownTypeError):
            codec.decode(text.replace('"RED"', member))


def test_a_class_that_became_another_kind_of_class_is_refused():
    codec, text = changed(samples.Order, samples.Slotted, samples.Order(1))
    with pytest.raises(UnknownTypeError, match="recorded as a dataclass"):
        codec.decode(text)


def test_looking_for_a_name_does_not_wake_a_lazy_module(monkeypatch):
    class Lazy(types.ModuleType):
        def __getattribute__(self, name):
            raise AssertionError(f"{name} was read")

    monkeypatch.setitem(sys.modules, "lazy_one", Lazy("lazy_one"))
    eager = types.ModuleType("lazy_two")
    eager.__getattr__ = lambda name: pytest.fail(f"{name} was asked for")
    monkeypatch.setitem(sys.modules, "lazy_two", eager)
    monkeypatch.setitem(sys.modules, "no_module", 5)
    monkeypatch.setitem(sys.modules, "none", None)
    for name in ("lazy_one:C", "lazy_two:C", "no_module:C", "none:C"):
        assert TypeTable().find(name) is None
