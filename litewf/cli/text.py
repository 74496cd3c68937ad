"""Text from workflows, spelled so that it cannot steer the terminal it is printed on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta


def printable(text: str) -> str:
    """The text on one line, with a question mark for everything that is no letter to be seen."""
    return text if text.isprintable() else "".join(map(_letter, text))


def _letter(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if letter.isspace() else "?"


def as_json(value: object, indent: int | None = None) -> str:
    """JSON with the letters of all scripts as they are; what is not to be seen is escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=_plain)
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1] for letter in text)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return repr(value)
