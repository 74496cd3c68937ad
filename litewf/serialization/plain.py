"""Recorded text as plain JSON, for those who compare values without the program's classes."""

from __future__ import annotations

import json
from typing import Any

from litewf.serialization.shapes import SHAPE_BY_TAG


def plain(text: str) -> Any:
    """A dataclass or a model as its fields, an enum as its value, a UUID or a datetime as its text."""
    return json.loads(text, object_hook=_untagged)


def _untagged(found: dict[str, Any]) -> Any:
    if len(found) != 1:
        return found
    ((tag, held),) = found.items()
    if tag in SHAPE_BY_TAG or tag == "$opaque":
        return held[1]  # after the name of its class
    if tag == "$dict":
        return {str(key): value for key, value in held}
    return held if tag[:1] == "$" else found
