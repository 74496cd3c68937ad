"""Exports without secrets: values are replaced, and keep their place and their type, so that the run still replays.

That holds as long as the workflow's code does not decide by what was replaced. True, False and None stay, and so do
names: of classes, fields, keys and steps; and what litewf itself goes by, such as which of several waits was over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from litewf.histories import History, RecordedStep

IsSecret = Callable[[str, object], bool]
Redaction = str | Sequence[str] | IsSecret | None
TEXT = "redacted"

# What stands behind the tag of a value that is no container.
STAND_INS: dict[str, object] = {
    "$bytearray": "",
    "$bytes": "",
    "$complex": [0.0, 0.0],
    "$decimal": "0",
    "$float": "0.0",
    "$fraction": [0, 1],
    "$int": "0x0",
    "$posixpath": TEXT,
    "$purewindowspath": TEXT,
    "$pureposixpath": TEXT,
    "$str": TEXT,
    "$timedelta": [0, 0, 0],
    "$uuid": "00000000-0000-0000-0000-000000000000",
    "$windowspath": TEXT,
}
DATES = frozenset(("$date", "$datetime"))
SOME_DAY = "2000-01-01"
OWN = "litewf."

# Outputs of litewf's own calls that hold what was received; those of all others are litewf's to go by.
RECEIVED = frozenset((
    "litewf.get_all_events", "litewf.get_event", "litewf.get_result", "litewf.list_steps", "litewf.list_workflows",
    "litewf.query", "litewf.recv", "litewf.wait_event",
))  # fmt: skip


def secrets(redaction: Redaction) -> IsSecret | None:
    """The values to replace as a function of their path and value; None if none are."""
    if redaction is None or callable(redaction):
        return redaction
    patterns = (redaction,) if isinstance(redaction, str) else tuple(redaction)
    for pattern in patterns:
        if not isinstance(pattern, str):
            raise TypeError(f"redact takes patterns of paths, or a function, not {type(pattern).__name__}")
    wanted = [each for pattern in patterns for each in (pattern, f"{pattern}.*")]
    return lambda path, _: any(fnmatchcase(path, each) for each in wanted)


def redacted(history: History, is_secret: IsSecret) -> History:
    """The history with other values in the place of secret ones."""
    hide = Hiding(is_secret)
    return replace(
        history,
        user=hide.name("user", history.user),
        roles=tuple(str(hide.name(f"roles.{at}", role)) for at, role in enumerate(history.roles)),
        input=hide.text("input", history.input, frozenset(("self",))) or history.input,
        output=hide.text("output", history.output),
        error=hide.text("error", history.error),
        steps=tuple(_step(hide, row) for row in history.steps),
        redacted=True,
    )


def _step(hide: Hiding, row: RecordedStep) -> RecordedStep:
    path, output = f"steps.{row.step}", row.output
    if not row.name.startswith(OWN) or row.name in RECEIVED:
        output = hide.text(f"{path}.output", output) if row.completed_us is not None else output
    elif row.name == "litewf.wait_all":
        output = hide.outcomes(f"{path}.output", output)
    elif row.name == "litewf.read_stream":
        output = hide.stream(f"{path}.output", output)
    if row.completed_us is None:
        return row._replace(error=hide.several_texts(f"{path}.error", row.error))
    return row._replace(output=output, error=hide.text(f"{path}.error", row.error))


class Hiding:
    """Replaces secret values inside recorded texts."""

    def __init__(self, is_secret: IsSecret) -> None:
        self._is_secret = is_secret

    def name(self, path: str, text: str | None) -> str | None:
        """A text that is no recorded value."""
        return TEXT if text is not None and self._is_secret(path, text) else text

    def text(self, path: str, text: str | None, spared: frozenset[str] = frozenset()) -> str | None:
        """A recorded value; entries of the outermost object that are spared stay."""

        def hidden(value: Any) -> Any:
            kept = {key: value[key] for key in spared & value.keys()} if isinstance(value, dict) else {}
            return self.value(path, value) | kept if kept else self.value(path, value)

        return self._inside(path, text, hidden)

    def _inside(self, path: str, text: str | None, hidden: Callable[[Any], Any]) -> str | None:
        """A recorded text with its value as `hidden` makes it; what is no JSON, all or nothing."""
        if text is None:
            return None
        try:
            value = json.loads(text)
        except ValueError:  # of another serializer
            return self.name(path, text)
        return _written(hidden(value))

    def several_texts(self, path: str, text: str | None) -> str | None:
        """The errors of failed attempts: a list of recorded texts."""

        def hidden(texts: Any) -> Any:
            return [self.text(f"{path}.{at}", each) for at, each in enumerate(texts)]

        return self._inside(path, text, hidden)

    def outcomes(self, path: str, text: str | None) -> str | None:
        """What wait_all recorded: output and error of each workflow, as texts."""

        def hidden(outcomes: Any) -> Any:
            return [[self.text(f"{path}.{at}", one) for one in outcome] for at, outcome in enumerate(outcomes)]

        return self._inside(path, text, hidden)

    def stream(self, path: str, text: str | None) -> str | None:
        """What read_stream recorded: items (offset, value, attempt, recorded), where to go on, whether it ended."""

        def hidden(batch: Any) -> Any:
            items, *rest = batch
            return [[[item[0], self.value(f"{path}.{item[0]}", item[1]), *item[2:]] for item in items], *rest]

        return self._inside(path, text, hidden)

    # --- values as JSON ---------------------------------------------------------------------------------------

    def value(self, path: str, value: Any) -> Any:
        """A value as JSON."""
        if isinstance(value, list):
            return self.items(path, value)
        if not isinstance(value, dict):
            return self._scalar(path, value)
        if len(value) == 1:
            ((tag, payload),) = value.items()
            if tag[:1] == "$":
                container = CONTAINERS.get(tag)
                return {tag: container(self, path, payload) if container else self._leaf(path, tag, payload)}
        return {key: self.value(f"{path}.{key}", held) for key, held in value.items()}

    def items(self, path: str, values: list[Any]) -> list[Any]:
        """Values one after the other."""
        return [self.value(f"{path}.{at}", value) for at, value in enumerate(values)]

    def pairs(self, path: str, pairs: list[list[Any]]) -> list[list[Any]]:
        """Keys, which stay, and values."""
        return [[key, self.value(f"{path}.{key}", value)] for key, value in pairs]

    def instance(self, path: str, payload: list[Any]) -> list[Any]:
        """The name of a class, and its parts."""
        return [payload[0], *(self.value(path, part) for part in payload[1:])]

    def model(self, path: str, payload: list[Any]) -> list[Any]:
        """A pydantic model: its second part names, under "set", the fields that were given."""
        name, *parts, more = payload if len(payload) == 3 else [*payload, {}]
        rest = {key: held if key == "set" else self.value(path, held) for key, held in more.items()}
        return [*self.instance(path, [name, *parts]), *([rest] if more else [])]

    def custom(self, path: str, payload: list[Any]) -> list[Any]:
        """An object that says itself how it is recorded; a handle is no secret."""
        return payload if payload[0].startswith(OWN) else self.instance(path, payload)

    def error(self, path: str, record: dict[str, Any]) -> dict[str, Any]:
        """An error with all that hangs on it."""
        kept = ("type", "suppress_context")
        return {key: held if key in kept else self.value(f"{path}.{key}", held) for key, held in record.items()}

    def _scalar(self, path: str, value: object) -> object:
        if value is None or isinstance(value, bool) or not self._is_secret(path, value):
            return value
        return TEXT if isinstance(value, str) else type(value)()  # 0 or 0.0

    def _leaf(self, path: str, tag: str, payload: Any) -> Any:
        if tag in STAND_INS and self._is_secret(path, payload):
            return STAND_INS[tag]
        if tag in DATES and self._is_secret(path, payload):
            text, *rest = payload if isinstance(payload, list) else [payload]
            hidden = SOME_DAY + text[len(SOME_DAY) :]
            return [hidden, *rest] if rest else hidden
        return payload


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


# What stands behind a tag and holds other values.
CONTAINERS: dict[str, Callable[[Hiding, str, Any], Any]] = {
    **dict.fromkeys(("$tuple", "$set", "$frozenset"), Hiding.items),
    **dict.fromkeys(("$dict", "$ordereddict", "$counter"), Hiding.pairs),
    **dict.fromkeys(("$attrs", "$dataclass", "$namedtuple", "$object", "$struct"), Hiding.instance),
    "$custom": Hiding.custom,
    "$error": Hiding.error,
    "$pydantic": Hiding.model,
    "$defaultdict": lambda hide, path, payload: [payload[0], hide.pairs(path, payload[1])],
    "$deque": lambda hide, path, payload: [hide.items(path, payload[0]), payload[1]],
    "$opaque": lambda hide, path, payload: [payload[0], hide.value(path, payload[1])],
}
