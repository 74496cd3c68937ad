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


class ContinueAsNew(Unwind):
    """The workflow goes on as its next generation, with these arguments."""

    def __init__(self, text: str, arguments: tuple[Sequence[Any], Mapping[str, Any]]) -> None:
        super().__init__("continued")
        self.text = text
        self.arguments = arguments
