"""A run of one workflow as an export: what it was started with and everything that it has recorded, as one document.

A history is enough to replay the run elsewhere, without the file that it came from: whatever the run received, from
steps, messages, events or other workflows, is in its records. Values stay as the file has them; in JSON they stand as
JSON, so that people can read and compare them. Times are microseconds since 1970 in UTC.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, NamedTuple, Self, get_type_hints

from litewf.errors import HistoryError

FORMAT = 1
MARK = "litewf_history"  # the key that says so, with the format as its value


class RecordedStep(NamedTuple):
    """One recorded call; without `completed_us` it is waiting, or between two attempts."""

    step: str
    name: str
    output: str | None
    error: str | None
    attempts: int
    child: str | None
    due_us: int | None
    started_us: int
    completed_us: int | None


class RecordedWait(NamedTuple):
    """One thing that the run waited for, outside memory, when it was exported."""

    step: str
    name: str
    waits: str | None
    due_us: int | None


@dataclass(frozen=True, slots=True)
class History:
    """One run of a workflow, to be replayed anywhere; `save` and `load` keep it in a file.

    `input`, `output`, `error`, and those of the steps, are values as the file has them: text, for a serializer.
    """

    workflow_id: str
    name: str
    status: str
    held: str | None
    application_version: str | None
    generation: int
    user: str | None
    roles: tuple[str, ...]
    created_us: int
    updated_us: int
    deadline_us: int | None
    input: str
    output: str | None
    error: str | None
    steps: tuple[RecordedStep, ...]
    waits: tuple[RecordedWait, ...]
    redacted: bool = False  # whether values were replaced

    VALUES: ClassVar[frozenset[str]] = frozenset(("input", "output", "error"))

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its end by itself, so that its code makes no more calls than are recorded."""
        return self.status in ("SUCCESS", "ERROR")

    def to_json(self) -> str:
        """The document: readable, and the same for the same history."""
        body = {field.name: getattr(self, field.name) for field in fields(self)}
        lists = {name: [_entry(row._asdict()) for row in body[name]] for name in ("steps", "waits")}
        document = {MARK: FORMAT, **_entry({**body, "roles": list(self.roles), **lists})}
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The history that a document holds; HistoryError if it holds none, or one of a newer litewf."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise HistoryError(f"this is no exported workflow but no JSON at all: {error}") from error
        if not isinstance(document, dict) or MARK not in document:
            raise HistoryError(f"this is no exported workflow: the key {MARK!r} is missing; `litewf export` makes one")
        version = document.pop(MARK)
        if version != FORMAT:
            raise HistoryError(
                f"this workflow was exported in format {version!r} by a newer litewf (this one reads {FORMAT}): upgrade"
                " litewf, or export it again with this one"
            )
        body = {**dict.fromkeys(("steps", "waits", "roles"), ()), **document}
        body["steps"] = tuple(RecordedStep(**_fields(row, RecordedStep, "a step")) for row in _list(body, "steps"))
        body["waits"] = tuple(RecordedWait(**_fields(row, RecordedWait, "a wait")) for row in _list(body, "waits"))
        body["roles"] = tuple(_list(body, "roles"))
        return cls(**_fields(body, cls, "the workflow"))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the document to a file, in place of what is there."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a document from a file."""
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise HistoryError(f"{os.fspath(path)}: this is no exported workflow: {error}") from error
        except HistoryError as error:
            raise HistoryError(f"{os.fspath(path)}: {error}") from error


# --- writing ------------------------------------------------------------------------------------------------------


def _entry(values: Mapping[str, Any]) -> dict[str, Any]:
    """Names and values without those that are None; a recorded value as JSON, or as text behind `<name>_text`."""
    entry: dict[str, Any] = {}
    for name, value in values.items():
        if value is None or value is False:
            continue
        if name in History.VALUES:
            try:
                entry[name] = json.loads(value)
            except (ValueError, RecursionError):  # of a serializer that does not write JSON
                entry[f"{name}_text"] = value
        else:
            entry[name] = value
    return entry


# --- reading ------------------------------------------------------------------------------------------------------


def _list(body: Mapping[str, Any], name: str) -> Sequence[Any]:
    if not isinstance(body[name], list | tuple):
        raise HistoryError(f"{name!r} of this exported workflow is no list")
    return body[name]  # type: ignore[no-any-return]  # checked above


def _fields(entry: object, kind: type, what: str) -> dict[str, Any]:
    """The arguments of a class, each of its type; what is missing is None if it may be."""
    if not isinstance(entry, dict):
        raise HistoryError(f"{what} of this exported workflow is no object but {type(entry).__name__}")
    found = dict(entry)
    for name in History.VALUES:
        if name in found:
            found[name] = json.dumps(found[name], ensure_ascii=False, separators=(",", ":"))
        elif f"{name}_text" in found:
            found[name] = found.pop(f"{name}_text")
    hints = {name: hint for name, hint in get_type_hints(kind).items() if name != "VALUES"}
    if unknown := found.keys() - hints.keys():
        raise HistoryError(f"{what} of this exported workflow has the unknown field {min(unknown)!r}")
    for name, hint in hints.items():
        _check(found, name, hint, what)
    return found


def _check(found: dict[str, Any], name: str, hint: Any, what: str) -> None:
    kinds = hint.__args__ if isinstance(hint, UnionType) else (getattr(hint, "__origin__", hint),)
    if name not in found and NoneType in kinds:
        found[name] = None
    elif name not in found and bool in kinds:
        found[name] = False
    if name not in found or type(found[name]) not in kinds:
        raise HistoryError(f"{what} of this exported workflow has no valid {name!r}")


# --- checking -----------------------------------------------------------------------------------------------------

Verdict = Literal["matches", "lacks_patch", "diverges", "unknown_workflow", "undecodable", "unclear"]


@dataclass(frozen=True, slots=True)
class ReplayCheck:
    """What came of replaying one run with the code of this program.

    `step` is where the code and the records part, `recorded` and `called` are the names of the calls there, None where
    there is none. `reason` says it in words, `advice` what to do; a run that matches has a reason too: how it goes on.
    """

    workflow_id: str
    name: str
    verdict: Verdict
    reason: str
    advice: str = ""
    step: str | None = None
    recorded: str | None = None
    called: str | None = None

    @property
    def matches(self) -> bool:
        """Whether this program can go on with the run."""
        return self.verdict == "matches"
