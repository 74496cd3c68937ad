"""The pages about testing: their tests run with pytest, and the one that is meant to fail says what the page says."""

import re
from pathlib import Path

import pytest

from tests.testing import inner

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {name: (DOCS / f"{name}.md").read_text() for name in ("testing", "crash-machines")}
PROGRAMS = {name: re.findall(r"```python\n(.*?)```", page, re.DOTALL) for name, page in PAGES.items()}
FAILURE = re.findall(r"```text\n(.*?)```", PAGES["testing"], re.DOTALL)
TEST = re.compile(r"^(?:def )?(test_\w+|Test\w+)(?:\(| = )", re.MULTILINE)
TESTS = [
    (page, place, name)
    for page, programs in PROGRAMS.items()
    for place, code in enumerate(programs)
    for name in TEST.findall(code)
]
FAILING = "test_checkout_survives_every_crash"


@pytest.mark.parametrize(("page", "place", "name"), TESTS)
def test_the_tests_of_the_page_do_what_it_says(
    page: str, place: int, name: str, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block is read with those before it, as later ones define names anew."""
    programs = PROGRAMS[page][: place + 1]
    result = inner.run(pytester, monkeypatch, "\n".join(programs), "-k", f"{name} and not {name}_")
    if name != FAILING:
        result.assert_outcomes(passed=1)
        return
    result.assert_outcomes(failed=1)
    told = [re.sub(r"^E +(?:\S+Failure: )?", "", line) for line in result.outlines if line.startswith("E ")]
    assert [line.strip() for line in FAILURE[0].splitlines() if line] == [line for line in told if line][:3]


@pytest.mark.nightly  # half a minute: it makes the failing sequence short
def test_the_machine_of_the_page_finds_a_charge_without_a_key(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    careless = "\n".join(PROGRAMS["crash-machines"]).replace(", idempotency_key=litewf.idempotency_key()", "")
    many = careless.replace("max_examples=20", "max_examples=1000, derandomize=True")
    result = inner.run(pytester, monkeypatch, many, "-k", "TestShop")
    result.assert_outcomes(failed=1)
    assert any("charge" in line for line in result.outlines if "AssertionError" in line)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_on_one_page(page: str) -> None:
    assert len(PAGES[page].splitlines()) < 150


def test_the_first_page_shows_one_failure() -> None:
    assert len(FAILURE) == 1
