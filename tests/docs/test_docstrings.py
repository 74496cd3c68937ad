"""The examples in docstrings run: those with `>>>`, and indented ones that are programs."""

import ast
import doctest
import importlib
import re
import textwrap
from collections.abc import Iterator

import pytest

import litewf
from tests.repo.source import modules, name_of

WITH_EXAMPLES = [name_of(path) for path in modules() if ">>> " in path.read_text()]

# what stands around an example in the program of whoever reads it: before it, and after it
AROUND = {
    "litewf.testing": ("", ""),
    "litewf.testing.strategies": ("from hypothesis import given", "test_whatever_comes_in()"),
    "litewf.testing.machine.CrashMachine": (
        """
from types import SimpleNamespace
from hypothesis import settings, strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test
import litewf
from litewf.testing import CrashMachine

payments = {}
registry = litewf.Registry()

@registry.workflow(name="checkout")
def checkout(order):
    return order

shop = SimpleNamespace(registry=registry, checkout=checkout)
""",
        "run_state_machine_as_test(Shop, settings=settings(max_examples=2, stateful_step_count=4, deadline=None))",
    ),
}


def programs() -> Iterator[tuple[str, str]]:
    """The indented programs of all docstrings, by where they stand; what is no Python is a drawing or a list."""
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            text = ast.get_docstring(node) or ""
            for block in re.findall(r"(?:^(?: {4}.*)?\n)+", f"{text}\n", re.MULTILINE):
                where = name_of(path) + ("" if isinstance(node, ast.Module) else f".{node.name}")
                if block.strip() and is_python(code := textwrap.dedent(block)):
                    yield where, code


def is_python(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


PROGRAMS = list(programs())


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_do_what_they_say(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name), extraglobs={"litewf": litewf})
    assert outcome.attempted > 0
    assert outcome.failed == 0


@pytest.mark.parametrize(("where", "code"), PROGRAMS, ids=[where for where, _ in PROGRAMS])
def test_a_program_in_a_docstring_runs(where: str, code: str) -> None:
    before, after = AROUND[where]
    names: dict[str, object] = {"__name__": "example"}
    for part in (before, code, after):
        exec(part, names)  # noqa: S102 - our own text


def test_no_program_is_overlooked() -> None:
    assert {where for where, _ in PROGRAMS} == set(AROUND)
