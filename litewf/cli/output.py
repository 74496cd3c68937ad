"""What commands print: JSON, or tables and facts for people.

On a terminal tables have colours and fit its width; in a pipe they are aligned text, a line for each row, that tools
may cut up. Rich would do this with more care, for 30 ms of every command; long work has its bars from there.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime

import typer

from litewf.cli.text import as_json, printable
from litewf.world import moment_if

NOTHING = "-"
GAP = "  "  # between columns
LEAST = 12  # columns of a terminal for the last cell, however narrow that is
LONG = 48  # columns from which a cell may be too long for its table
COLOURS = {
    "SUCCESS": "green",
    "ERROR": "red",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "red",
    "CANCELLED": "yellow",
    "HELD": "magenta",
    "PENDING": "cyan",
    "ENQUEUED": "blue",
    "DELAYED": "blue",
    "problem": "red",
    "notice": "yellow",
    "ok": "green",
}


def print_json(value: object) -> None:
    """One JSON document, indented; `jq` and people read it."""
    typer.echo(as_json(value, indent=2))


def print_json_line(value: object) -> None:
    """One JSON document on a line of its own, for answers that go on."""
    typer.echo(as_json(value))
    sys.stdout.flush()


def print_id(kind: str, one: str, *, json_: bool) -> None:
    """The id or name of what was changed or made."""
    print_json({kind: one}) if json_ else typer.echo(one)


def print_ids(ids: Sequence[str], *, json_: bool) -> None:
    """The ids of workflows, one on each line."""
    if json_:
        print_json({"workflow_ids": list(ids)})
        return
    for one in ids:
        typer.echo(one)


def note(line: str) -> None:
    """Say something beside the answer, on the error stream."""
    typer.echo(printable(line), err=True)


def is_terminal() -> bool:
    """Whether a person looks at the output."""
    return sys.stdout.isatty()


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[object]], empty: str = "", *, whole: bool = False
) -> None:
    """A table of texts; `empty` is said on the error stream if there are no rows.

    On a terminal the last column is cut to the width, unless it is wanted whole.
    """
    if not rows:
        note(empty)
        return
    cells = [[_cell(value) for value in row] for row in rows]
    lines = aligned([list(headings), *cells])
    if is_terminal():
        lines = _coloured(lines if whole else _cut(lines, headings, cells), cells)
    for line in lines:
        typer.echo(line)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as text, two blanks between columns; a cell that is far longer than the others moves only its own row."""
    widths = [_column([columns(row[at]) for row in rows]) for at in range(len(rows[0]))]
    return [GAP.join(_filled(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _column(widths: Sequence[int]) -> int:
    usual = max(LONG, 2 * sorted(widths)[len(widths) // 2])
    return max(width for width in widths if width <= usual)


def _filled(cell: str, width: int) -> str:
    return cell + " " * (width - columns(cell))


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: letters of East Asia take two, marks on a letter none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width  # noqa: PLC0415 - few texts need it

    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def print_facts(facts: Mapping[str, object]) -> None:
    """Names and values, one on each line; what is None is left out."""
    known = {name: value for name, value in facts.items() if value is not None}
    width = max((len(name) for name in known), default=0)
    for name, value in known.items():
        typer.echo(f"{name.ljust(width)}  {_cell(value)}")


def _cell(value: object) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value)) or NOTHING


def _cut(lines: Sequence[str], headings: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table with ids and times whole, and the last column as wide as the terminal lets it be."""
    before_last = aligned([[*row[:-1], "|"] for row in (headings, *cells)])
    room = terminal_width()
    return [
        shorten(line, max(room, columns(begin) + LEAST - 1)) for line, begin in zip(lines, before_last, strict=True)
    ]


def terminal_width() -> int:
    """How many letters fit on a line."""
    return shutil.get_terminal_size().columns


def _coloured(lines: Sequence[str], cells: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table with a bold heading and the words in colour that say how things stand."""
    if os.environ.get("NO_COLOR"):
        return list(lines)
    body = [_with_colour(line, row) for line, row in zip(lines[1:], cells, strict=True)]
    return [typer.style(lines[0], bold=True), *body]


def _with_colour(line: str, row: Sequence[str]) -> str:
    for cell in row:
        if cell in COLOURS:
            return re.sub(rf"(^|  ){cell}(?=  |$)", rf"\1{typer.style(cell, fg=COLOURS[cell])}", line, count=1)
    return line


def shorten(text: str, width: int) -> str:
    """A text that takes at most so many columns, with a mark where some of it is missing."""
    if columns(text) <= width:
        return text
    while columns(text) > width - 1:
        text = text[: max(len(text) - max(1, (columns(text) - width) // 2), 0)]
    return f"{text}…"


def local(moment: datetime | None) -> str | None:
    """A time as people here read it, to the second."""
    if moment is None:
        return None
    with contextlib.suppress(OverflowError, ValueError):  # at the ends of the calendar, where a damaged time is shown
        moment = moment.astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def duration(microseconds: int | None) -> str | None:
    """A time span in the unit that suits it."""
    if microseconds is None:
        return None
    if microseconds < 1_000_000:
        return f"{microseconds / 1000:.1f}ms"
    seconds = microseconds / 1_000_000
    if seconds < 60:
        return f"{seconds:.2f}s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600:02}h"


def counted(count: int, thing: str) -> str:
    """So many things."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def size(count: int) -> str:
    """Bytes for people."""
    if count < 1000:
        return f"{count} B"
    value, unit = count / 1000, "kB"
    for larger in ("MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}"


def local_us(us: int | None) -> str | None:
    """A stored time as people here read it."""
    return local(moment_if(us))


def local_iso(text: str) -> str:
    """A time of a document as people here read it."""
    return local(datetime.fromisoformat(text)) or text


def clear() -> None:
    """Begin again at the top of the terminal; in a pipe, leave a line empty."""
    typer.echo("\x1b[H\x1b[J" if is_terminal() else "", nl=not is_terminal())


def flush() -> None:
    """Let whoever reads the pipe see it now."""
    sys.stdout.flush()


def print_gap() -> None:
    """An empty line between two parts of an answer."""
    typer.echo("")
