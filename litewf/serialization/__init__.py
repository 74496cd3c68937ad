"""Values as JSON text: what goes in comes out equal and of the same type, or is refused where it was made.

Files, from the outside in:

    json_codec.py   `JsonSerializer`: text in and out, the short cuts for plain data
    walk.py         one pass over a value that spells it as JSON
    reader.py       the hook that turns tagged objects back into values
    kinds.py        the types of Python's own library, one table
    shapes.py       classes of the program: dataclasses, enums, models ..., one table
    records.py, models.py, exceptions.py    what the rows of that table do
    type_table.py   which classes a text may name
    refusal.py      why a value was refused, and where inside it

A value that JSON lacks is an object with one key: `{"$tuple":[1,2]}`, `{"$decimal":"9.90"}`,
`{"$dataclass":["shop:Order",{"id":7}]}`. A dict with a key that starts with `$`, or whose keys are not all
text, is written as pairs: `{"$dict":[[1,"one"]]}`. Nothing here imports a module that a text names, or calls
anything but the classes that the program itself defined as data."""

from __future__ import annotations

from litewf.serialization.json_codec import JsonSerializer
from litewf.serialization.serializer import Serializer, check_serializer
from litewf.serialization.type_table import Opaque, TypeTable

__all__ = ["JsonSerializer", "Opaque", "Serializer", "TypeTable", "check_serializer"]
