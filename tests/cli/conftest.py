"""The fixture of the command line's tests."""

from pathlib import Path

import pytest

from tests.cli.cli_process import Cli, run_cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `litewf` with arguments, in an empty directory."""
    return lambda *arguments: run_cli(*arguments, cwd=tmp_path)
