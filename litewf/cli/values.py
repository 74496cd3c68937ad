"""Values on the command line: JSON, or a plain word."""

from __future__ import annotations

import json
from collections.abc import Sequence

import typer

VALUE = "VALUE"
HELP = "JSON; what is no JSON is taken as text, unless it begins like JSON's objects, lists or texts"


def value(text: str) -> object:
    """`7`, `true`, `null`, `{"sku": 7}` and `"7"` are the JSON that they are; `anna` is the text "anna".

    What begins with a brace, a bracket or a quote must be JSON: there a mistake would otherwise become a text.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        if text.lstrip()[:1] in ("{", "[", '"'):
            raise typer.BadParameter(
                f"{text!r:.200} begins like JSON, but it is none: {error}", param_hint=VALUE
            ) from None
        return text
    except RecursionError:
        raise typer.BadParameter("it is nested too deep", param_hint=VALUE) from None


def values(texts: Sequence[str] | None) -> list[object]:
    """The arguments of a workflow in their order."""
    return [value(text) for text in texts or ()]


def named(pairs: Sequence[str] | None, option: str) -> dict[str, object]:
    """NAME=VALUE pairs."""
    found: dict[str, object] = {}
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r:.200} is not NAME=VALUE", param_hint=option)
        if name in found:
            raise typer.BadParameter(f"{name!r} is given twice", param_hint=option)
        found[name] = value(text)
    return found


def _refuse(name: str) -> object:
    raise ValueError(f"{name} is no JSON")
