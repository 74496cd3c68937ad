"""The page about testing: its tests run with pytest, and the one that is meant to fail says what the page says."""

import re
from pathlib import Path

import pytest

from tests.testing import inner

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
FAILURE = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
TEST = re.compile(r"^(?:def )?(test_\w+|Test\w+)(?:\(| = )", re.MULTILINE)
TESTS = [(place, name) for place, code in enumerate(PROGRAMS) for name in TEST.findall(code)]
FAILING = "test_checkout_survives_every_crash"


@pytest.mark.parametrize(("place", "name"), TESTS)
def test_the_tests_of_the_page_do_what_it_says(
    place: int, name: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block is read with those before it, as later ones define names anew."""
    result = inner.run(pytester, monkeypatch, "\n".join(PROGRAMS[: place + 1]), "-k", f"{name} and not {name}_")
    if name != FAILING:
        result.assert_outcomes(passed=1)
        return
    result.assert_outcomes(failed=1)
    told = [re.sub(r"^E +(?:\S+Failure: )?", "", line) for line in result.outlines if line.startswith("E ")]
    assert [line.strip() for line in FAILURE[0].splitlines() if line] == [line for line in told if line][:3]


def test_the_page_shows_one_failure_and_fits_on_one_page() -> None:
    assert len(FAILURE) == 1
    assert len(PAGE.splitlines()) <= 170
