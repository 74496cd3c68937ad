"""Every extra that an error, a guide or an example tells people to install exists."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.repo.source import ROOT, modules

EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
TEXTS = [
    *modules(), *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").rglob("*.py"),
    *(ROOT / "examples").rglob("*.md"),
]  # fmt: skip
INSTALLED = re.compile(r"(?:litewf|'\.)\[([a-z, ]+)\]|\bthe extras? `(\w+)`")


def named(text: str) -> set[str]:
    """The extras that a text names."""
    found = [in_brackets or in_words for in_brackets, in_words in INSTALLED.findall(text)]
    return {name.strip() for names in found for name in names.split(",")}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_extras_that_a_text_names_exist(path: Path) -> None:
    assert named(path.read_text()) <= EXTRAS


def test_they_are_found_in_every_form() -> None:
    text = "pip install 'litewf[web, cli]'\npip install '.[test]'\nthe extra `models`\nlist[int]"
    assert named(text) == {"web", "cli", "test", "models"}


def test_those_for_users_stand_in_the_page_for_models() -> None:
    """It is complete in itself."""
    page = (ROOT / "docs" / "prompt.md").read_text()
    sentence = page.partition("its extras are")[2].partition("\n")[0]
    assert set(re.findall(r"`([a-z]+)`", sentence)) == EXTRAS - {"test", "bench"}
