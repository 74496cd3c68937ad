"""docs/command-line.md says what each command answers with --json: each row is compared with the answer itself."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import litewf
from litewf.cli.app import COMMANDS
from tests.cli.live import Done, Here, here, worker

__all__ = ["here"]
PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
TABLE = PAGE.partition("## What `--json` answers")[2].partition("\n## ")[0]
ROWS = [
    tuple(cell.strip() for cell in line.strip("|").split("|")) for line in TABLE.splitlines() if line.startswith("| `")
]
NAMES = re.compile(r"`([a-z_]+)`")
WORKFLOW = {field.name for field in fields(litewf.WorkflowStatus)}
SCHEDULE = {field.name for field in fields(litewf.ScheduleInfo)}
SILENT = {"demo", "bench", "run", "run-due", "serve"}


def row(command: str) -> str:
    """What the page says of a command."""
    [answer] = [answer for commands, answer in ROWS if f"`{command}`" in commands]
    return answer


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("answers")
    with worker(folder):
        yield folder / "shop.db"


@pytest.fixture
def ask(here: Here, db: Path) -> Callable[..., Done]:
    return lambda *arguments: here(*arguments, "--json", "--db", db)


@pytest.fixture
def checkout(ask: Callable[..., Done], db: Path) -> str:
    """A workflow that has said and done a bit of everything."""
    ask("start", "checkout", '{"sku": 1}', "--id", "o-1")
    ask("send", "o-1", "cash", "--topic", "payment")
    assert ask("result", "o-1", "--timeout", "30s").status == 0
    return "o-1"


def test_workflows_have_the_fields_of_the_library(ask: Callable[..., Done], checkout: str) -> None:
    assert all(set(one) == WORKFLOW for one in ask("list").json)
    assert set(ask("show", checkout).json) == WORKFLOW | set(NAMES.findall(row("show")))
    steps = ask("show", checkout).json["steps"]
    assert {field.name for field in fields(litewf.StepInfo)} <= set(steps[0])
    for command in (["result", checkout], ["start", "greet", "x", "--wait"], ["start", "fail", "x", "--wait"],
                    ["enqueue", "q", "greet", "x", "--wait"]):  # fmt: skip
        assert set(ask(*command).json) == WORKFLOW


CALLS: dict[str, list[str]] = {
    "start": ["greet", "x"],
    "enqueue": ["mail", "greet", "x"],
    "fork": ["o-1"],
    "cancel": ["o-1"],
    "rewind": ["o-1"],
    "send": ["o-1", "x"],
    "publish": ["paid", "1"],
    "doctor": ["--quick"],
    "versions": [],
    "queues create": ["made", "--batch", "3"],
    "prune": ["--older-than", "1d"],
}


@pytest.mark.parametrize("command", CALLS)
def test_an_answer_has_the_fields_of_the_page(ask: Callable[..., Done], checkout: str, command: str) -> None:
    answer: Any = ask(*command.split(), *CALLS[command]).json
    for part in row(command).partition("; with")[0].split("; "):
        outer, _, inner = part.partition(": `")
        if inner and outer.count("`") in (2, 4):  # a list of what
            [*beside, key] = NAMES.findall(outer)
            assert set(answer) >= {key, *beside}
            assert all(set(one) == set(NAMES.findall(f"`{inner}")) for one in answer[key])
        else:
            assert set(answer) == set(NAMES.findall(outer))


def test_answers_of_several_lines_and_lists_have_the_fields_of_the_page(
    ask: Callable[..., Done], checkout: str, tmp_path: Path
) -> None:
    for line in ask("stream", checkout, "log").lines:
        assert set(json.loads(line)) == set(NAMES.findall(row("stream")))
    assert set(ask("event", checkout, "payment_url").json) == {"value"}
    assert set(ask("event", checkout).json) == {"payment_url"}
    ask("queues", "create", "listed", "--batch", "3")
    assert all(set(one) == set(NAMES.findall(row("queues list"))) for one in ask("queues").json)
    assert set(ask("schedules", "create", "daily", "tick", "0 3 * * *").json) == SCHEDULE
    assert set(ask("schedules").json[0]) == SCHEDULE
    assert set(ask("schedules", "trigger", "daily").json) == set(NAMES.findall(row("schedules trigger")))
    ask("start", "nap", "3600")
    checks = ask("check-upgrade", "litewf").json
    assert all(set(one) >= set(NAMES.findall(row("check-upgrade"))) for one in checks)
    assert set(ask("backup", tmp_path / "copy.db").json) == set(NAMES.findall(row("backup")))
    assert set(ask("prune", "--older-than", "1d", "--dry-run").json) == {"old_enough"}
    assert set(ask("export", checkout, "-o", tmp_path / "run.json").json) == set(NAMES.findall(row("export -o FILE")))


def test_every_command_that_answers_is_in_the_table() -> None:
    named = {name.partition(" ")[0] for commands, _ in ROWS for name in re.findall(r"`([^`]+)`", commands)}
    assert {entry.name for entry in COMMANDS} - SILENT <= named
