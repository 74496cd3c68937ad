"""The fixtures of the command line's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.cli_process import Cli, run_cli
from tests.cli.live import here, worker

__all__ = ["cli", "here", "shop"]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `litewf` with arguments, in an empty directory."""
    return lambda *arguments: run_cli(*arguments, cwd=tmp_path)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file on which an engine in another process runs the shop; the tests of a module share it."""
    folder = tmp_path_factory.mktemp("shop")
    with worker(folder):
        yield folder / "shop.db"


@pytest.fixture(autouse=True)
def no_file_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LITEWF_DB", raising=False)
