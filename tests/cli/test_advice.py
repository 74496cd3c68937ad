"""Errors name Python methods; whoever typed a command is told of commands."""

import re

import pytest

import litewf
from litewf.cli import advice
from litewf.cli.app import COMMANDS
from litewf.cli.exits import Failure, complain
from tests.cli.live import Here
from tests.repo.source import modules

TEXTS = {
    "it was cancelled; resume_workflow() lets it go on": "it was cancelled; litewf resume lets it go on",
    "no queue 'nix' is defined; create_queue('nix') does": "no queue 'nix' is defined; litewf queues create nix does",
    "create_queue('two words') does": "litewf queues create 'two words' does",
    "call rewind_workflow, or fork_workflow()": "call litewf rewind, or litewf fork",
    "it exists already; retrieve_workflow() gives its handle": "it exists already; litewf show tells of it",
    "engine.resume_workflow() and my_resume_workflow()": "engine.resume_workflow() and my_resume_workflow()",
    "resume_workflow(x) and create_queue": "resume_workflow(x) and litewf queues create",
}


@pytest.mark.parametrize(("text", "told"), TEXTS.items(), ids=list(TEXTS))
def test_methods_are_told_as_commands(text: str, told: str) -> None:
    assert advice.in_commands(text) == told


def test_the_commands_exist_and_so_do_the_methods() -> None:
    known = {entry.name for entry in COMMANDS}
    for call, command in advice.COMMANDS.items():
        assert command.split()[1] in known
        assert hasattr(litewf.Client, call.partition("(")[0])


def test_every_method_that_an_error_advises_to_call_is_known() -> None:
    """`name() does something` and `name('x') does` in the texts of engine and store, which reach the command line."""
    advised = {
        name
        for path in modules()
        if path.parts[-2] in ("engine", "store")
        for name in re.findall(r"[\"; ](\w+_(?:workflow|queue|schedule))\((?:\{name!r\})?\) [a-z]", path.read_text())
    }
    assert len(advised) >= 4
    assert advised <= {call.partition("(")[0] for call in advice.COMMANDS}


def test_only_errors_of_litewf_are_put_in_other_words(capsys: pytest.CaptureFixture[str]) -> None:
    complain(litewf.WorkflowStateError("resume_workflow() does"))
    complain(Failure("resume_workflow() failed"))
    assert capsys.readouterr().err.splitlines() == ["litewf: litewf resume does", "litewf: resume_workflow() failed"]


def test_a_queue_that_is_not_there(here: Here, path) -> None:
    with litewf.Engine(path, registry=litewf.Registry()):
        pass
    done = here("queues", "update", "nix", "--global-concurrency", "2", "--db", path)
    assert (done.status, "; litewf queues create nix does" in done.err) == (3, True), done.err
