"""What the documents say is true: their programs run, their commands are the real ones, their files exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.shell import Shell

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_the_program_of_the_readme_runs_twice_and_ships_once(tmp_path):
    (program,) = blocks(README, "python")
    (tmp_path / "shop.py").write_text(program)
    outputs = [
        subprocess.run(
            [sys.executable, "shop.py"], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
            check=True, timeout=30,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert outputs[0].startswith("shipping 1 for receipt-1 (order-1:1)")
    assert outputs[1] == "receipt-1 (order-1:1)\n", "the second run finds the order done"


def test_the_readme_has_one_command_to_run_it_and_one_to_test_it():
    run, test = (command.strip() for command in blocks(README, "sh"))
    assert run.endswith("litewf demo")
    assert test in (ROOT / ".ci" / "run").read_text(), "the automatic check runs the README's own test command"
    assert "\n" not in run + test


def test_the_commands_of_the_readme_work_when_they_are_typed_in_order(tmp_path):
    (program,), (session,) = blocks(README, "python"), blocks(README, "shell-session")
    (tmp_path / "shop.py").write_text(program)
    lines = [line.removeprefix("$ ") for line in session.splitlines()]
    assert lines[0].startswith(". .venv/bin/activate"), "what follows finds python and litewf"
    script = tmp_path / "bin" / "litewf"
    script.parent.mkdir()
    script.write_text(f"#!{sys.executable} -P\nimport sys\nfrom litewf.cli import main\nsys.exit(main())\n")
    script.chmod(0o755)
    path = os.pathsep.join([str(script.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    shell = Shell(cwd=tmp_path, env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)})
    try:
        for line in lines[1:]:
            printed, status = shell.run(line.replace(" --watch", ""))
            assert status == 0, f"$ {line}\n{printed}"
        for order in ("order-2", "order-3"):
            _, status = shell.run(f"litewf result {order} --timeout 30s")
            assert status == 0, order
    finally:
        shell.run("kill $!")
        shell.close()


def test_the_program_of_the_readme_has_about_twenty_lines():
    (program,) = blocks(README, "python")
    assert len([line for line in program.splitlines() if line.strip()]) <= 20


@pytest.mark.parametrize("document", ["README", "ARCHITECTURE"])
def test_files_that_the_documents_name_exist(document):
    text = {"README": README, "ARCHITECTURE": ARCHITECTURE}[document]
    named = re.findall(r"\]\(([\w./-]+)\)", text)
    named += [f"litewf/{path}" for path in re.findall(r"`((?:api|engine|store)/[\w/]+\.(?:py|sql))", text)]
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
