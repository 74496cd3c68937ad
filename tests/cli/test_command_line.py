"""The program around the commands: how it starts, what it says without its packages, what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.cli_process import ROOT, Cli

WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from litewf.cli import main
sys.exit(main())
"""


def test_version_is_said(cli: Cli) -> None:
    done = cli("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("litewf ")


def test_help_names_every_command(cli: Cli) -> None:
    done = cli("--help")
    assert done.returncode == 0
    for command in ("demo", "bench", "serve", "run-due"):
        assert command in done.stdout


def test_an_unknown_command_is_a_usage_error(cli: Cli) -> None:
    assert cli("dmeo").returncode == 2


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_its_packages_it_says_in_one_line_what_to_install(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT, package, "demo"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install 'litewf[cli]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_in_the_current_directory_shadows_no_module(cli: Cli, tmp_path: Path) -> None:
    for name in ("random.py", "litewf.py", "apsw.py"):
        (tmp_path / name).write_text("raise SystemExit('shadowed')")
    done = cli("bench", "--quick", "--json", "--only", "import")
    assert (done.returncode, done.stderr.count("shadowed")) == (0, 0)


def test_importing_litewf_loads_nothing_of_the_command_line() -> None:
    code = "import litewf, sys; litewf.workflow; print(*{'typer', 'rich', 'litewf.cli'} & set(sys.modules))"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT)
    assert loaded.split() == []
