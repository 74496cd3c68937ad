"""Attributes of workflows: plain JSON for the user to search by, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping

from litewf.registry import check_name
from litewf.serialization.kinds import is_unicode


def encode_attributes(attributes: Mapping[str, object]) -> str:
    """Attributes are plain JSON, so that SQL can search them."""
    if not isinstance(attributes, Mapping):
        raise TypeError(f"attributes are a mapping of names to values, not {type(attributes).__name__}")
    for name, value in attributes.items():
        check_name(name, "an attribute's name")
        if not isinstance(value, str | int | float | bool | None):
            raise TypeError(f"attribute {name!r} must be text, a number, a bool or None, not {type(value).__name__}")
        if isinstance(value, str) and not is_unicode(value):
            raise ValueError(f"attribute {name!r} holds a lone surrogate, which is no text: {value[:80]!r}")
    return json.dumps(dict(attributes), allow_nan=False)
