"""Values of every kind come back equal and of their type, or are refused with a path; hostile texts do nothing.

While a text is decoded, Python's audit events are watched: nothing is imported, run, opened or started.
"""

from __future__ import annotations

import codecs
import json
import random
import sys
from collections.abc import Callable
from importlib import import_module

from fuzz.case import Case
from fuzz.values import random_value
from litewf.errors import SerializationError
from litewf.serialization import JsonSerializer, Opaque
from litewf.serialization.kinds import KIND_BY_TAG, class_at
from litewf.serialization.shapes import SHAPES
from tests.serialization.test_decoding_is_inert import CALLS, NOT_DATA
from tests.serialization.value_samples import same

VALUES, TEXTS = 20, 40  # in one case
TAGS = (*KIND_BY_TAG, *(shape.tag for shape in SHAPES), "$error", "$unknown", "$", "$$", "dict")
ALLOWED = (
    *("tzdata", "zoneinfo", "posixrules"),  # a time zone is read from the database of time zones
    "compile (b'def foo(",  # how inspect reads the signature of a default factory written in C; pydantic asks for it
)
FORBIDDEN = ("import", "exec", "compile", "open", "subprocess.Popen", "os.", "socket.", "ctypes.", "pickle.", "shutil.")

_watched: list[str] | None = None  # the events of the decoding under way
_hooked = False


def run(case: Case) -> None:
    """Round trips, then texts made of broken ones."""
    codec = JsonSerializer()
    texts = [_round_trip(case, codec) for _ in range(VALUES)]
    known = [text for text in texts if text is not None] or ["null"]
    _watch()
    for _ in range(TEXTS):
        kind, text = _hostile(case.chance, known)
        _decode(codec, text)
        case.met(f"text: {kind}")


def _round_trip(case: Case, codec: JsonSerializer) -> str | None:
    kind, value = random_value(case.chance)
    try:
        text, copy = codec.encode(value)
    except SerializationError as error:
        assert str(error).startswith("value"), f"no path: {error}"
        case.met(f"value refused: {kind}")
        _error_is_always_recorded(codec, value)
        return None
    text.encode()  # SQLite holds it as UTF-8
    json.loads(text)
    back = codec.decode(text)
    assert same(value, back), f"{value!r} came back as {back!r} by {text}"
    assert same(value, copy), f"{value!r} was handed on as {copy!r}"
    if "$error" not in text:  # a message may hold the address of an object
        assert codec.encode(back)[0] == text, f"the text of {value!r} depends on more than its value: {text}"
    assert same(codec.decode_lenient(text), back)
    case.met(f"value: {kind}")
    return text


def _error_is_always_recorded(codec: JsonSerializer, value: object) -> None:
    text, error = codec.encode_error(ValueError(value))
    assert isinstance(error, Exception)
    assert isinstance(codec.decode_error(text), Exception)


def _decode(codec: JsonSerializer, text: str) -> None:
    """A value, or an error of litewf; and nothing else happens."""
    for decode in (codec.decode, codec.decode_lenient, codec.decode_error, codec.decode_error_lenient):
        events = _events_of(decode, text)
        assert events == [], f"{decode.__name__} of {text!r} caused {events}"
        assert CALLS == [], f"{decode.__name__} of {text!r} ran code: {CALLS}"


def _events_of(decode: Callable[[str], object], text: str) -> list[str]:
    global _watched  # noqa: PLW0603 - an audit hook cannot be removed, only told when to listen
    events: list[str] = []
    _watched = events
    try:
        value = decode(text)
        assert value is None or not callable(value) or isinstance(value, Opaque), f"{text!r} gave {value!r}"
    except SerializationError:
        pass
    finally:
        _watched = None
    return events


def _watch() -> None:
    """Listen to what Python does; the modules of the table are loaded before, as the table says."""
    global _hooked  # noqa: PLW0603 - once in a process
    if not _hooked:
        _hooked = True
        for kind in KIND_BY_TAG.values():
            class_at(kind.home)
        codecs.lookup("unicode_escape")
        import_module("importlib.readers")  # both load on first use
        sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    if _watched is not None and event.startswith(FORBIDDEN):
        told = f"{event} {arguments[:1]}"
        if not any(allowed in told for allowed in ALLOWED):
            _watched.append(told)


# --- hostile texts ------------------------------------------------------------------------------------------------


def _hostile(chance: random.Random, known: list[str]) -> tuple[str, str]:
    return chance.choice(HOSTILE)(chance, chance.choice(known))


def _edited(chance: random.Random, text: str) -> tuple[str, str]:
    at, end = sorted(chance.choices(range(len(text) + 1), k=2))
    end = min(end, at + 8)
    put = chance.choice(
        ["", "[", "]", "{", "}", '"', ",", ":", "\\", "\0", "\ud800", "1e999", "NaN", "null", text[at:end] * 2]
    )
    return "edited", text[:at] + put + text[end:]


def _cut_off(chance: random.Random, text: str) -> tuple[str, str]:
    return "cut off", text[: chance.randrange(len(text))]


def _another_tag(chance: random.Random, text: str) -> tuple[str, str]:
    return "another tag", text.replace(f'"{chance.choice(TAGS)}"', f'"{chance.choice(TAGS)}"', 1)


def _names_code(chance: random.Random, text: str) -> tuple[str, str]:
    name = chance.choice(
        [*NOT_DATA, "os:system\\u0000", "sys:modules", "builtins:__build_class__", ":", "a" * 5000, "litewf:x"]
    )
    payload = chance.choice(['["%s"]', '["%s",%s]', '["%s",{"args":["true"]},%s]', '{"type":"%s","args":[%s]}', '"%s"'])
    filled = payload % ((name, text) if payload.count("%s") == 2 else name)
    return "names what is not data", f'{{"{chance.choice(TAGS)}":{filled}}}'


def _another_payload(chance: random.Random, text: str) -> tuple[str, str]:
    payload = chance.choice([text, "null", "[]", "{}", "[[[]]]", "1" * 5000, "-1", "1e400", '""', '"\\ud800"', "true",
                             f"[{text},{text},{text}]", '"../../../../etc/passwd"', '"localtime"', '"0x' + "f" * 900 + '"'])  # fmt: skip
    return "another payload", f'{{"{chance.choice(TAGS)}":{payload}}}'


def _error(chance: random.Random, text: str) -> tuple[str, str]:
    name = chance.choice(["builtins:ValueError", "builtins:KeyboardInterrupt", "builtins:SystemExit", *NOT_DATA[:6]])
    parts = {"type": json.dumps(name), "args": f"[{text}]", "attributes": f'{{"__class__":{text}}}', "cause": text,
             "notes": text, "exceptions": f"[{text}]", "message": text}  # fmt: skip
    chosen = chance.sample(sorted(parts), chance.randint(0, len(parts)))
    return "an error", '{"$error":{%s}}' % ",".join(f'"{part}":{parts[part]}' for part in chosen)  # noqa: UP031 - braces


def _nested(chance: random.Random, text: str) -> tuple[str, str]:
    times = chance.choice([50, 120, 400, 5_000, 100_000])
    left, right = chance.choice(
        [("[", "]"), ('{"a":', "}"), ('{"$tuple":[', "]}"), ('{"$set":[', "]}"), ('{"$error":{"cause":', "}}")]
    )
    return "nested deep", left * times + text + right * times


HOSTILE = (_edited, _edited, _cut_off, _another_tag, _another_tag, _names_code, _another_payload, _error, _nested)
