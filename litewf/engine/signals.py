"""How an execution ends without an outcome.

`Unwind` derives from BaseException so that a workflow's own `except Exception` cannot take the end of its execution for
an error of its business. Raised by durable calls only, caught by the runner only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

Why = Literal["parked", "cancelled", "lost", "closing", "store", "held", "continued", "returned"]


class Unwind(BaseException):
    """This execution of the workflow is over; its durable calls write nothing more."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(f"{why}: {detail}" if detail else why)
        self.why: Why = why
        self.detail = detail


class Diverged(Unwind):
    """The code makes another call than the one that is recorded, or none; the workflow is held.

    `recorded` and `called` are names of calls, None where there is none; `patch` is one that left the code too early.
    """

    def __init__(
        self, detail: str, step: str, recorded: str | None = None, called: str | None = None, patch: str | None = None
    ) -> None:
        super().__init__("held", detail)
        self.step = step
        self.recorded = recorded
        self.called = called
        self.patch = patch


class Undecodable(Unwind):
    """A recorded value cannot be read by this program; the workflow is held."""

    def __init__(self, detail: str, step: str) -> None:
        super().__init__("held", detail)
        self.step = step


class ContinueAsNew(Unwind):
    """The workflow goes on as its next generation, with these arguments."""

    def __init__(self, text: str, arguments: tuple[Sequence[Any], Mapping[str, Any]]) -> None:
        super().__init__("continued")
        self.text = text
        self.arguments = arguments
