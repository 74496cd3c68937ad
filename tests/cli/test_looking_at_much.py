"""Looking costs the same however much has happened: what SQLite does for it is counted, and measured on a million."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from litewf.store.inspection import Inspection
from tests.benchmarks import history, looking
from tests.cli.live import Here

TYPER = tuple(map(int, version("typer").split(".")[:2]))
FEW, MANY = 2_000, 10_000


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Two files with finished workflows of two steps."""
    found = {size: tmp_path_factory.mktemp("history") / f"{size}.db" for size in (FEW, MANY)}
    for size, path in found.items():
        history.finished(path, size, steps=2)
    return found


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many steps SQLite's machine has made for what was read."""
    count = [0]
    read = Inspection.read

    def tick() -> bool:
        count[0] += 1
        return False

    def counting(file: Inspection, question: Callable[[Any], Any]) -> Any:
        def asked(connection: Any) -> Any:
            connection.set_progress_handler(tick, 1)
            try:
                return question(connection)
            finally:
                connection.set_progress_handler(None)

        return read(file, asked)

    monkeypatch.setattr(Inspection, "read", counting)
    return count


LOOKS = ["list", "list --prefix {newest}", "list --parent {newest}", "list --json", "show {newest}"]


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_costs_no_more_where_there_is_more(
    here: Here, files: dict[int, Path], steps: list[int], look: str
) -> None:
    cost = {}
    for size, path in files.items():
        newest = here("list", "--json", "--limit", "1", "--db", path).json[0]["workflow_id"]
        steps[0] = 0
        assert here(*look.format(newest=newest).split(), "--db", path).status == 0
        cost[size] = steps[0]
    assert 0 < cost[MANY] <= cost[FEW] + 50  # a level more of an index


@pytest.mark.nightly  # 20 s
@pytest.mark.skipif(TYPER >= (0, 29), reason="typer 0.29 loads pydantic, and the extra asks for an older one")
def test_with_a_million_workflows_a_look_takes_less_than_100_ms(tmp_path: Path) -> None:
    """Of processor time: what else the machine does meanwhile does not count."""
    path = tmp_path / "history.db"
    history.finished(path)
    taken = looking.commands(path, runs=7)
    assert taken["list_cpu"] < 100
    assert taken["show_cpu"] < 100
