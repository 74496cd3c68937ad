"""The examples in docstrings run."""

import doctest
import importlib

import pytest

import litewf
from tests.repo.source import modules, name_of

WITH_EXAMPLES = [name_of(path) for path in modules() if ">>> " in path.read_text()]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_do_what_they_say(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name), extraglobs={"litewf": litewf})
    assert outcome.attempted > 0
    assert outcome.failed == 0
