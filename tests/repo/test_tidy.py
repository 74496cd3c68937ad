"""Files and functions that a reader can hold in mind, and tests that wait for signals."""

import ast
import re

import pytest

from tests.repo.source import PACKAGE, ROOT, functions, modules, python_files, tree_of

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
PLACEHOLDERS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MACHINE = re.compile(r"(/root/|/work/)\w")
HERE = "tests/repo/test_tidy.py"

FILES = python_files()
IDS = [str(path.relative_to(ROOT)) for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_file_is_short_enough_to_read(path):
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_function_fits_on_a_screen(path):
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in functions(path)
        if node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    ]
    assert long == []


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_file_says_what_it_is_for(path):
    if path.read_text().strip():
        assert ast.get_docstring(tree_of(path))


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_nothing_is_left_to_be_done_and_no_machine_is_named(path):
    if str(path.relative_to(ROOT)) != HERE:
        lines = path.read_text().splitlines()
        assert [line for line in lines if PLACEHOLDERS.search(line) or MACHINE.search(line)] == []


@pytest.mark.parametrize("path", [path for path in FILES if "tests" in path.parts], ids=lambda path: path.name)
def test_a_test_sleeps_only_with_a_reason(path):
    """Tests wait for signals. Where there is none, as from another process, the line says what it polls."""
    lines = path.read_text().splitlines()
    sleeps = [
        f"line {node.lineno}: {lines[node.lineno - 1].strip()}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"time.sleep", "asyncio.sleep"}
        and ast.unparse(node.args[0]) != "0"  # lets other tasks run
        and " # " not in lines[node.lineno - 1]
    ]
    assert sleeps == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_suppressed_warning_carries_its_reason(path):
    bare = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        noqa = re.search(r"# noqa(: [A-Z0-9, ]+)?(?P<reason>.*)", line)
        ignore = re.search(r"# type: ignore(\[[a-z, -]+\])?(?P<reason>.*)", line)
        for found in (noqa, ignore):
            if found and not re.search(r"\w", found["reason"]):
                bare.append(f"line {number}: {line.strip()}")
    assert bare == []
