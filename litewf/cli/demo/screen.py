"""What the audience sees: a live table in a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from litewf.cli.demo.channel import Message
from litewf.cli.demo.ending import BODIES, Proof
from litewf.cli.demo.shop import PAUSE, STEPS
from litewf.cli.demo.story import Cell, Run, Story

LOOKS: dict[Cell, str] = {"ran": "[green]✔ ran", "replayed": "[cyan]↻ replayed", "woke": "[green]✔ woke"}
BUSY: dict[Cell, str] = {"running": "running", "asleep": "asleep"}
TITLES = {"sleep": f"sleep {PAUSE:g} s"}
LINES = {
    "launching": "opens the file",
    "ran": "{step} ran and is recorded",
    "replayed": "{step} replayed from the file, its body did not run",
    "asleep": "the workflow is asleep: a row in the file, no thread, nothing in memory",
    "woke": "the workflow woke",
    "done": "the checkout is complete",
}


class Screen:
    """Plain lines, for pipes and files."""

    pace: ClassVar[float] = 0.05  # seconds for which something new stands still; nobody watches a pipe

    def __init__(self, console: Console) -> None:
        self.console = console

    def say(self, text: str = "") -> None:
        self.console.print(text, soft_wrap=True, highlight=False)

    def began(self, story: Story, run: Run) -> None:
        self.say(f"process {run.pid}: started{' again' if len(story.runs) > 1 else ''}")

    def heard(self, story: Story, message: Message) -> None:
        if message.what in LINES:
            line = LINES[message.what].format(step=message.step)
            self.say(f"process {story.runs[-1].pid}: {line}")

    def killed(self, story: Story) -> None:
        self.say(f"process {story.runs[-1].pid}: SIGKILL")

    def end(self, proof: Proof, problems: Sequence[str]) -> None:
        """The judgement and the figures."""
        self.say()
        for line in _wrong(problems) if problems else _right(proof):
            self.say(line)
        self.say(f"File:    {escape(str(proof.db))}")
        self.say(f"Ledger:  {escape(str(proof.ledger))}")


class LiveScreen(Screen):
    """A table with a column for each process, drawn anew as things happen."""

    pace: ClassVar[float] = 0.35

    def __init__(self, console: Console, live: Live) -> None:
        super().__init__(console)
        self._live = live

    def _draw(self, story: Story) -> None:
        self._live.update(_table(story), refresh=True)

    def began(self, story: Story, run: Run) -> None:  # noqa: ARG002 - it is the story's last
        self._draw(story)

    def heard(self, story: Story, message: Message) -> None:  # noqa: ARG002 - the story has taken it in
        self._draw(story)

    def killed(self, story: Story) -> None:
        self._draw(story)


@contextmanager
def open_screen(db: Path) -> Iterator[Screen]:
    """The screen that suits the standard output."""
    console = Console()
    plain = Screen(console)
    plain.say(f"An order is checked out, durably, in {escape(str(db))}. Its process is killed twice on the way.")
    plain.say()
    if console.is_terminal:
        with Live(console=console, refresh_per_second=12) as live:
            yield LiveScreen(console, live)
    else:
        yield plain


def _table(story: Story) -> Table:
    table = Table(padding=(0, 1))
    table.add_column("checkout")
    for number, run in enumerate(story.runs, 1):
        table.add_column(f"{'started' if number == 1 else 'again'}: pid {run.pid}", min_width=18)
    for step in STEPS:
        table.add_row(TITLES.get(step, step), *(_cell(run, step) for run in story.runs))
    table.add_section()
    table.add_row("", *(_foot(run) for run in story.runs))
    return table


def _cell(run: Run, step: str) -> Text | Spinner:
    cell = run.cells.get(step)
    if cell is None:
        return Text("")
    if cell in BUSY:
        return Text(BUSY[cell], "yellow") if run.killed else Spinner("dots", Text(BUSY[cell], "yellow"))
    return Text.from_markup(LOOKS[cell])


def _foot(run: Run) -> Text:
    if run.killed:
        return Text("✘ SIGKILL", "bold red")
    return Text("✔ done", "bold green") if run.done_at is not None else Text("alive", "dim")


def _wrong(problems: Sequence[str]) -> Iterator[str]:
    yield "[bold red]This went wrong:"
    for problem in problems:
        yield f"  - {escape(problem)}"


def _right(proof: Proof) -> Iterator[str]:
    story = proof.story
    replayed = sum(list(run.cells.values()).count("replayed") for run in story.runs)
    yield (
        f"[bold green]The order is complete, and no step ran twice:[/] {len(BODIES)} steps, {len(proof.entries)}"
        f" entries in the ledger; {replayed} times a result was replayed instead."
    )
    for at, run in enumerate(story.runs):
        if at and run.recovery is not None:
            yield _recovery(story, at, run)
    yield f"The sleep of {PAUSE:g} s took {proof.slept:.2f} s over two processes: its end was in the file."
    yield (
        "Both kills came between two steps. A step whose body is running at the moment of a crash runs again,"
        " with the same idempotency key, so that the other side can tell."
    )
    yield ""


def _recovery(story: Story, at: int, run: Run) -> str:
    recovered = f"Recovery {at}: process {run.pid} "
    if run.cells.get("sleep") == "woke" and story.due_at is not None and story.woke_at is not None:
        late = max(story.woke_at - story.due_at, 0.0)
        woke = f"{recovered}woke the workflow {1_000 * late:.0f} ms after its stored time"
        return f"{woke}, done {run.total:.2f} s after the launch of its engine."
    return f"{recovered}ran the first new step {1_000 * (run.recovery or 0):.0f} ms after the launch of its engine."
