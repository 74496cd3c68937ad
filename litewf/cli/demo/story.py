"""What has happened so far: for each process, what it did with each step. Told by the shop, so for the eye only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from litewf.cli.demo.channel import Message, What

Cell = Literal["running", "ran", "replayed", "asleep", "woke"]
CELLS: dict[What, Cell] = {
    "began": "running", "ran": "ran", "replayed": "replayed", "asleep": "asleep", "woke": "woke",
}  # fmt: skip


@dataclass(slots=True)
class Run:
    """One process of the shop, from its launch to its end."""

    pid: int
    launching_at: float | None = None
    first_new_at: float | None = None
    done_at: float | None = None
    killed: bool = False
    cells: dict[str, Cell] = field(default_factory=dict)

    @property
    def recovery(self) -> float | None:
        """Seconds from the launch of the engine to the first step that no process had done."""
        if self.launching_at is None or self.first_new_at is None:
            return None
        return self.first_new_at - self.launching_at

    @property
    def total(self) -> float | None:
        """Seconds from the launch of the engine to the workflow's result."""
        if self.launching_at is None or self.done_at is None:
            return None
        return self.done_at - self.launching_at


@dataclass(slots=True)
class Story:
    """All processes so far, and when the sleeping workflow is to wake."""

    runs: list[Run] = field(default_factory=list)
    due_at: float | None = None
    woke_at: float | None = None
    result: str | None = None

    def begin(self, pid: int) -> Run:
        self.runs.append(Run(pid))
        return self.runs[-1]

    def hear(self, message: Message) -> None:
        """Take in what the latest process says."""
        run = self.runs[-1]
        cell = CELLS.get(message.what)
        if cell is not None:
            run.cells[message.step] = cell
        if message.what == "launching":
            run.launching_at = message.at
        elif message.what in {"began", "woke"} and run.first_new_at is None:
            run.first_new_at = message.at
        elif message.what == "done":
            run.done_at, self.result = message.at, message.detail
        if message.what == "asleep" and self.due_at is None and message.detail:
            self.due_at = float(message.detail)
        elif message.what == "woke":
            self.woke_at = message.at
