"""What a person sees on a terminal: colours, whole ids, columns that fit, a time line where there is room."""

import re
import sys
from pathlib import Path

import pytest

from litewf.cli import output
from tests.cli.live import Here

ESCAPES = re.compile("\x1b\\[[0-9;]*m")


def coloured(line: str = "", *, err: bool = False) -> None:
    """What typer's echo does, which leaves colours out where it sees no terminal itself."""
    print(line, file=sys.stderr if err else sys.stdout)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A terminal of 100 columns."""
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    monkeypatch.setattr(output.typer, "echo", coloured)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return monkeypatch


@pytest.fixture
def failed(here: Here, shop: Path) -> Path:
    here("start", "fail", "a long story " * 20, "--id", "f-1", "--wait", "--timeout", "30s", "--db", shop)
    return shop


def test_a_list_has_colours_and_fits(here: Here, failed: Path, terminal: pytest.MonkeyPatch) -> None:
    heading, row = here("list", "--db", failed).lines
    assert heading.startswith("\x1b[1mID ")
    assert "\x1b[31mERROR\x1b[0m" in row
    assert len(ESCAPES.sub("", row)) == 100
    assert row.endswith("…")


def test_colours_may_be_unwanted(here: Here, failed: Path, terminal: pytest.MonkeyPatch) -> None:
    terminal.setenv("NO_COLOR", "1")
    assert "\x1b" not in here("list", "--db", failed).out


def test_however_narrow_it_is_ids_and_times_stay_whole(here: Here, failed: Path, terminal: pytest.MonkeyPatch) -> None:
    terminal.setenv("COLUMNS", "20")
    row = ESCAPES.sub("", here("list", "--db", failed).lines[1])
    assert re.match(r"f-1 +fail +ERROR +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\S+  shop", row)


def test_a_wide_terminal_shows_steps_on_a_time_line(here: Here, shop: Path, terminal: pytest.MonkeyPatch) -> None:
    here("start", "family", "1", "--id", "t-1", "--wait", "--timeout", "30s", "--db", shop)
    assert "█" not in here("show", "t-1", "--db", shop).out
    terminal.setenv("COLUMNS", "160")
    lines = here("show", "t-1", "--db", shop).lines
    [heading] = [line for line in lines if "STEP" in line]
    bars = [line for line in lines if "█" in line]
    assert len(bars) == 2
    at = ESCAPES.sub("", heading).index("TIME")
    assert bars[0].index("█") >= at


def test_the_doctor_is_never_cut_short(here: Here, shop: Path, terminal: pytest.MonkeyPatch) -> None:
    terminal.setenv("COLUMNS", "20")
    out = here("doctor", "--quick", "--db", shop).out
    assert "\x1b[32mok\x1b[0m" in out
    assert str(shop) in out


def test_letters_of_two_columns_stay_in_line(here: Here, shop: Path, terminal: pytest.MonkeyPatch) -> None:
    here("start", "greet", "x", "--id", "注文-1", "--wait", "--timeout", "30s", "--db", shop)
    here("start", "greet", "x", "--id", "cafe\u0301-1", "--wait", "--timeout", "30s", "--db", shop)
    heading, *rows = [ESCAPES.sub("", line) for line in here("list", "--name", "greet", "--db", shop).lines]
    at = heading.index("STATUS")
    for row in rows:
        assert output.columns(row[: row.index("SUCCESS")]) == at


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("日本語です", 6, "日本…"),
        ("e\u0301e\u0301e", 3, "e\u0301e\u0301e"),
    ],
    ids=["fits", "ascii", "wide", "combining"],
)
def test_a_text_is_cut_by_the_columns_that_it_takes(text: str, width: int, expected: str) -> None:
    assert output.shorten(text, width) == expected
    assert output.columns(expected) <= width


def test_one_long_id_pushes_no_other_row(here: Here, shop: Path, terminal: pytest.MonkeyPatch) -> None:
    long = "l" * 255
    for one in (long, "s-1", "s-2"):
        here("start", "nap", "3600", "--id", one, "--db", shop)
    rows = {row.split()[0]: ESCAPES.sub("", row) for row in here("list", "--name", "nap", "--db", shop).lines}
    assert rows["s-1"].index("nap") == rows["s-2"].index("nap") == 5
    assert rows[long].startswith(f"{long}  nap")
    assert len(rows["s-1"]) <= 100


def test_why_a_program_cannot_go_on_is_never_cut_short(here: Here, shop: Path, terminal: pytest.MonkeyPatch) -> None:
    here("start", "nap", "3600", "--id", "n-1", "--db", shop)
    terminal.setenv("COLUMNS", "20")
    out = here("check-upgrade", "litewf", "--db", shop).out
    assert "no workflow named 'nap' is registered in this program\n" in out
