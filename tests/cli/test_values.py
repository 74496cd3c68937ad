"""How values, durations and times are read from the command line."""

from datetime import UTC, datetime, timedelta

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from litewf.cli import options, output, values
from litewf.cli.text import as_json, printable


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("anna", "anna"), ("", ""), ("two words", "two words"), ("7", 7), ("-1.5", -1.5), ("true", True), ("null", None),
        ("True", "True"), ('"7"', "7"), ("[1, 2]", [1, 2]), ('{"a": {"b": null}}', {"a": {"b": None}}), ("007", "007"),
        ("NaN", "NaN"), ("2026-03-01", "2026-03-01"), (" 7 ", 7),
    ],
)  # fmt: skip
def test_a_value_is_json_or_text(text: str, meaning: object) -> None:
    assert values.value(text) == meaning


@pytest.mark.parametrize("text", ['{"a": 1', "[1,", '"open', "{a: 1}", "[NaN]", " {", "[" * 100_000])
def test_what_begins_like_json_must_be_json(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        values.value(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("0", 0), ("1.5", 1.5), ("500ms", 0.5), ("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800),
     ("2w", 1_209_600)],
)  # fmt: skip
def test_a_duration_has_a_unit_or_is_in_seconds(text: str, seconds: float) -> None:
    assert options.seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-1", "1y", "nan", "inf", "1h30m", "soon"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        options.seconds(text)


def test_a_time_is_one_or_that_long_ago() -> None:
    assert options.moment("2026-03-01T12:00+01:00") == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert options.moment("2026-03-01").utcoffset() is not None
    before = datetime.now(UTC)
    assert before <= options.moment("2h") + timedelta(hours=2) <= datetime.now(UTC)
    for text in ("yesterday", "", "2026-13-01", "0001-01-01+14:00", "9999-12-31T23:59:59-14:00"):
        with pytest.raises(typer.BadParameter):
            options.moment(text)


@pytest.mark.parametrize(
    ("us", "text"),
    [(0, "0.0ms"), (1_500, "1.5ms"), (1_500_000, "1.50s"), (61_000_000, "1m01s"), (3_660_000_000, "1h01m"),
     (90_000_000_000, "1d01h"), (None, None)],
)  # fmt: skip
def test_a_span_is_shown_in_the_unit_that_suits_it(us: int | None, text: str | None) -> None:
    assert output.duration(us) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2_500_000_000, "2.5 GB")])
def test_bytes_are_shown_in_the_unit_that_suits_them(count: int, text: str) -> None:
    assert output.size(count) == text


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(JSON)
def test_printed_json_is_the_same_value_and_steers_no_terminal(value: object) -> None:
    import json

    text = as_json(value, indent=2)
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert json.loads(text) == value


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_printed_text_steers_no_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)
