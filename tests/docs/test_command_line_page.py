"""docs/command-line.md: the whole life of a workflow, typed into a shell as the page says."""

import os
import re
import sys
from pathlib import Path

import pytest

from litewf.cli import exits
from tests.docs.shell import Shell, commands, matches

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "command-line.md").read_text()


@pytest.mark.parametrize(
    "until",
    [
        pytest.param("Stop one", id="a life"),
        pytest.param("What all commands share", id="the whole page", marks=pytest.mark.nightly),  # 13 s
    ],
)
def test_the_sessions_print_what_the_page_says(tmp_path: Path, until: str) -> None:
    [program] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "shop.py").write_text(program)
    script = tmp_path / "bin" / "litewf"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable} -P\nimport sys\nfrom litewf.cli import main\nsys.exit(main())\n")
    script.chmod(0o755)
    environment = {
        **os.environ, "PATH": f"{script.parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    shell = Shell(cwd=tmp_path, env=environment)
    try:
        for command in commands(PAGE.partition(until)[0]):
            printed, status = shell.run(command.line)
            assert status == command.status, f"$ {command.line}\n{printed}"
            assert matches(printed, command.expected), f"$ {command.line}\n{printed}\n\nexpected:\n{command.expected}"
    finally:
        shell.run("kill $(cat worker.pid) 2> /dev/null")
        shell.close()


def test_the_page_lists_the_exit_statuses_as_they_are() -> None:
    listed = {int(code): meaning for code, meaning in re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)}
    assert listed == exits.MEANINGS


def test_a_session_that_prints_something_else_would_be_noticed() -> None:
    assert matches("one\ntwo", "one\n...")
    assert not matches("one\ntwo", "one")
    assert not matches("one", "two")
