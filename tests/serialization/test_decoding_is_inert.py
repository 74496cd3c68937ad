"""Decoding imports nothing that a text names and calls nothing that is not data."""

import subprocess
import sys
from contextlib import suppress

import pytest

from litewf.errors import RemoteError, SerializationError, UnknownTypeError
from litewf.serialization import JsonSerializer, Opaque
from litewf.serialization.shapes import SHAPES
from tests.serialization import value_samples as samples

CODEC = JsonSerializer()
CALLS = []

NOT_DATA = [
    *(
        "os:system",
        "builtins:eval",
        "builtins:exec",
        "builtins:__import__",
        "builtins:open",
        "builtins:int",
        "builtins:type",
    ),
    *(
        "subprocess:Popen",
        "subprocess:run",
        "test_decoding_is_inert:Trap",
        "test_decoding_is_inert:spring",
        "builtins:object",
    ),
    *(
        "antigravity:fly",
        "this:s",
        "tests.serialization.value_samples:same",
        "tests.serialization.value_samples:Plain",
        "ctypes:CDLL",
        "pathlib:Path",
        "enum:Enum",
    ),
]
PAYLOADS = [
    '["{}"]',
    '["{}",{{}}]',
    '["{}",{{"args":["true"]}}]',
    '["{}","RED"]',
    '["{}",["true"]]',
    '["{}",1]',
    '["{}",{{}},{{}}]',
]


class Trap:
    def __init__(self, *args):
        CALLS.append("init")

    def __new__(cls, *args):
        CALLS.append("new")
        return object.__new__(cls)

    def __del__(self):
        CALLS.append("del")

    def __setstate__(self, state):
        CALLS.append("setstate")


def spring(*args, **kwargs):
    CALLS.append("function")


@pytest.mark.parametrize("tag", [shape.tag for shape in SHAPES])
@pytest.mark.parametrize("name", NOT_DATA)
def test_a_text_that_names_what_is_not_data_is_refused(tag, name):
    before = set(sys.modules)
    for payload in PAYLOADS:
        text = f'{{"{tag}":{payload.format(name)}}}'
        with pytest.raises(SerializationError):
            CODEC.decode(text)
        assert isinstance(CODEC.decode_lenient(text), Opaque)
    assert set(sys.modules) == before
    assert CALLS == []


@pytest.mark.parametrize("name", NOT_DATA)
def test_an_error_text_that_names_what_is_no_error_is_refused(name):
    before = set(sys.modules)
    text = f'{{"$error":{{"type":"{name}","args":["true"],"attributes":{{"returncode":0}}}}}}'
    with pytest.raises(UnknownTypeError):
        CODEC.decode(text)
    assert CODEC.decode_error_lenient(text).type == name
    assert set(sys.modules) == before
    assert CALLS == []


RECORDED = {
    "$enum": samples.Colour.RED,
    "$dataclass": samples.Order(1),
    "$attrs": samples.Slotted(1),
    "$pydantic": samples.Model(a=1),
    "$struct": samples.Struct(1),
    "$namedtuple": samples.Pair(1),
    "$custom": samples.Handle(1),
}


@pytest.mark.parametrize("tag", RECORDED)
def test_a_class_is_rebuilt_only_by_its_own_tag(tag):
    text = CODEC.encode(RECORDED[tag])[0]
    CODEC.decode(text)
    for other in {shape.tag for shape in SHAPES} - {tag}:
        with pytest.raises(UnknownTypeError, match="none in this program"):
            CODEC.decode(text.replace(tag, other))


def test_a_recorded_attribute_cannot_replace_what_the_class_does():
    text = '{"$dataclass":["tests.serialization.value_samples:Order",{"id":1,"price":2,"lines":[]},{"__class__":5,"__dict__":{"id":9}}]}'
    order = CODEC.decode(text)
    assert type(order) is samples.Order
    assert order.id == 1
    error = CODEC.decode(
        '{"$error":{"type":"builtins:ValueError","args":["x"],"attributes":{"__class__":5,"args":[1]}}}'
    )
    assert type(error) is ValueError
    assert error.args == ("x",)


ENDLESS = '{"$range":[0,{"$int":"0x' + "f" * 40 + '"},1]}'


@pytest.mark.parametrize(
    "text",
    [*(f'{{"{tag}":{ENDLESS}}}' for tag in ("$tuple", "$set", "$frozenset", "$slice", "$opaque", "$dataclass", "$fraction")),
     f'{{"$deque":[{ENDLESS},null]}}', '{"$fraction":["1e999999999"]}', '{"$fraction":["1e999999999",1]}',
     *(f'{{"$error":{{"type":"builtins:ValueError","{part}":{ENDLESS}}}}}' for part in ("args", "notes", "exceptions")),
     f'{{"$error":{{"type":"builtins:ExceptionGroup","message":"x","exceptions":{ENDLESS}}}}}'],
)  # fmt: skip
def test_a_text_that_would_be_endless_once_unfolded_is_refused(text):
    with pytest.raises(SerializationError):
        CODEC.decode(text)
    with suppress(SerializationError):
        CODEC.decode_lenient(text)


SHORT = '{"$range":[0,3,1]}'  # in earnest it is as long as memory


@pytest.mark.parametrize(
    "text",
    [*(f'{{"{tag}":[{SHORT}]}}' for tag in ("$dict", "$ordereddict", "$counter")), f'{{"$defaultdict":[null,[{SHORT}]]}}',
     f'{{"$pydantic":["tests.serialization.value_samples:Model",{{"a":1,"b":0,"c":[]}},{{"set":{SHORT}}}]}}'],
)  # fmt: skip
def test_a_range_in_the_place_of_a_pair_is_not_unfolded(text):
    with pytest.raises(SerializationError, match="a list was expected, not a range"):
        CODEC.decode(text)


def test_the_attributes_of_an_error_are_a_mapping_and_not_unfolded_into_one():
    with pytest.raises(SerializationError, match="mapping"):
        CODEC.decode(f'{{"$error":{{"type":"builtins:ValueError","attributes":[{SHORT}]}}}}')


@pytest.mark.parametrize(
    "text",
    ['{"$slice":[{"$int":"0x' + "f" * 4000 + '"},1,2]}', '{"$opaque":[{"$int":"0x' + "f" * 4000 + '"},1]}',
     '{"$tuple":[' * 400 + "1" + "]}" * 400],
    ids=["a number too long to print", "an unknown type that is no name", "nested deep"],
)  # fmt: skip
def test_a_listing_shows_any_text_in_the_place_of_an_error_as_one(text):
    assert isinstance(CODEC.decode_error_lenient(text), RemoteError)


def test_importing_the_codec_loads_none_of_the_libraries_it_can_record():
    program = (
        "import sys; import litewf.serialization as s; c = s.JsonSerializer(); c.encode([(1,), {'a': 1.5}]);"
        "print([m for m in ('decimal','fractions','zoneinfo','uuid','asyncio','pydantic','msgspec','attr','pickle') if m in sys.modules])"
    )
    root = sys.modules["litewf.serialization"].__file__.rsplit("/", 3)[0]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"


def test_library_values_are_read_by_a_program_that_has_not_loaded_their_library():
    program = (
        "import litewf.serialization as s; c = s.JsonSerializer();"
        """print(c.decode('[{"$decimal":"1.10"},{"$uuid":"00000000-0000-0000-0000-000000000000"},{"$fraction":[1,3]}]'))"""
    )
    root = sys.modules["litewf.serialization"].__file__.rsplit("/", 3)[0]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.startswith("[Decimal('1.10'), UUID(")
