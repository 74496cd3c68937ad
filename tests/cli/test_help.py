"""The help: every command has one that reads well, and the overview imports none of them."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from litewf.cli import exits
from litewf.cli.app import COMMANDS, PANELS
from tests.cli.cli_process import ROOT
from tests.cli.live import Here

GROUPS = {"queues": ("list", "create", "update", "pause", "resume", "delete"),
          "schedules": ("list", "show", "create", "pause", "resume", "trigger", "backfill", "delete")}  # fmt: skip
ALONE = [(entry.name,) for entry in COMMANDS if entry.name not in GROUPS]
ALL = ALONE + [(group, name) for group, names in GROUPS.items() for name in names]
OF_THE_FILE = [command for command in ALL if command[0] not in {"demo", "bench"}]
SAY_NO_JSON = {"run", "run-due", "serve", "demo"}


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_the_help_of_a_command_says_what_it_does_and_explains_each_option(here: Here, command: tuple[str, ...]) -> None:
    done = here(*command, "--help")
    assert (done.status, done.err) == (0, "")
    usage, _, rest = done.out.partition("\n\n")
    assert usage.startswith(f"Usage: litewf {' '.join(command)}")
    sentence = rest.strip().split("\n\n")[0]
    assert sentence.strip().endswith(".")
    listed = rest.partition("Options:")[2]
    assert not re.search(r"<(str|int|float|list)", listed)  # a raw type of typer's instead of a name
    options = re.split(r"\n  (?=--|-f)", listed)[1:]
    assert options
    for option in options:
        assert len(option.split()) > 2, f"{option} is not explained"


@pytest.mark.parametrize("command", OF_THE_FILE, ids=" ".join)
def test_every_command_on_a_file_takes_the_same_options(here: Here, command: tuple[str, ...]) -> None:
    text = here(*command, "--help").out
    assert "--db PATH" in text
    assert "LITEWF_DB" in text
    assert ("--json" in text) == (command[0] not in SAY_NO_JSON)


def test_the_overview_has_panels_and_the_meaning_of_each_exit_status(here: Here) -> None:
    text = here("--help").out
    for panel in PANELS:
        assert f"\n{panel}:\n" in text
    for entry in COMMANDS:
        assert re.search(rf"^  {entry.name} +\w", text, re.MULTILINE)
    for code in exits.MEANINGS:
        assert re.search(rf"^  {code} +\w", text, re.MULTILINE)


def test_without_arguments_it_helps(here: Here) -> None:
    done = here()
    assert done.status == 2
    assert "Look at workflows:" in done.out + done.err


def test_the_help_of_a_group_says_each_of_its_commands_in_a_whole_sentence(here: Here) -> None:
    for group, names in GROUPS.items():
        done = here(group, "--help")
        assert done.status == 0
        rows = done.out.partition("Commands:\n")[2]
        for name in names:
            found = re.search(rf"^  {name} +(\w[^.]*\.)$", re.sub(r"\n {6,}", " ", rows), re.MULTILINE)
            assert found, f"{name} is not explained in {rows}"


def test_a_group_without_a_command_lists(here: Here, shop: Path) -> None:
    for group in GROUPS:
        assert here(group, "--json", "--db", shop) == here(group, "list", "--json", "--db", shop) == (0, "[]\n", "")
        assert here(group, "--nonsense").err.startswith("litewf: no such option: --nonsense")


def test_each_line_of_the_table_leads_to_its_command() -> None:
    for entry in COMMANDS:
        module, _, attribute = entry.place.partition(":")
        found = getattr(importlib.import_module(f"litewf.cli.commands.{module}"), attribute)
        assert isinstance(found, typer.Typer) or found.__doc__


@pytest.mark.parametrize("arguments", ["--help", "list --help"])
def test_help_and_looking_load_neither_the_engine_nor_rich(arguments: str) -> None:
    code = f"""
import sys
sys.argv = ["litewf", *{arguments.split()!r}]
from litewf.cli import main
main()
sys.stderr.write(" ".join({{"litewf.exports", "litewf.engine.runtime", "litewf.api", "rich", "asyncio"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr == ""


def test_an_unknown_command_is_told_with_what_is_like_it(here: Here) -> None:
    done = here("lst")
    assert done.status == 2
    assert "'list'" in done.err


@pytest.mark.parametrize(
    "shell",
    [
        "bash",
        pytest.param("zsh", marks=pytest.mark.nightly),
        pytest.param("fish", marks=pytest.mark.nightly),
    ],  # 1 s each
)
def test_shells_complete_commands(shell: str) -> None:
    words = {"bash": {"COMP_WORDS": "litewf sch", "COMP_CWORD": "1"}}.get(shell, {"_TYPER_COMPLETE_ARGS": "litewf sch"})
    environment = {**words, "_LITEWF_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        [sys.executable, "-m", "litewf"], env=environment, capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert "schedules" in done.stdout, done.stderr
