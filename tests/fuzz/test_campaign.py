"""A run of many cases tells what broke, with the command that breaks it again, and goes on."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.worker import attempt

ROOT = Path(__file__).parents[2]
PLANTED = "tests.fuzz.planted"


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fuzz", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60)


@pytest.fixture(scope="module")
def planted() -> subprocess.CompletedProcess[str]:
    """One run in which everything goes wrong once, in one process and then its successors."""
    options = ("--cases", "12", "--seed", "5", "--processes", "1", "--patience", "3")
    return fuzz("--only", PLANTED, *options)


def test_a_violation_comes_with_the_command_that_shows_it_again(planted):
    assert planted.returncode == 1
    said = re.search(r"planted in case 3: \d\.\d+", planted.stdout)
    assert said is not None
    command = f"python -m fuzz {PLANTED} --case 3 --seed 5"
    assert f"VIOLATION, again with: {command}" in planted.stdout
    again = fuzz(*shlex.split(command)[3:])
    assert again.returncode == 1
    assert said[0] in again.stderr


@pytest.mark.parametrize(
    ("case", "story"),
    [
        (4, "the thread doomed died:"),
        (6, "the process died with exit status 7"),
        (8, "nothing was heard of it for 3 s"),
    ],
    ids=["a thread dies", "the process dies", "it hangs"],
)
def test_what_a_case_does_not_say_itself_is_noticed(planted, case, story):
    before = planted.stdout.partition(f"VIOLATION, again with: python -m fuzz {PLANTED} --case {case} --seed 5")[0]
    assert story in before


def test_the_others_go_on_and_are_counted(planted):
    assert re.search(rf"{PLANTED} +12 +10 +[\d,]+ +4\n", planted.stdout), planted.stdout
    assert re.search(r" 10  a fault\n", planted.stdout)
    assert "seed 5, 4 violations" in planted.stdout


def test_a_run_without_a_violation_ends_well():
    done = fuzz("--only", PLANTED, "--cases", "3", "--seed", "5")
    assert (done.returncode, done.stderr) == (0, "")
    assert "seed 5, 0 violations" in done.stdout


def test_an_unknown_target_is_refused_with_the_names_that_there_are():
    done = fuzz("nothing")
    assert done.returncode == 2
    assert "there is no nothing; choose from codec," in done.stderr


@pytest.mark.parametrize("target", ["codec", "cron"])
def test_the_same_number_is_the_same_case(target):
    first, second, other = attempt(target, 1, 2), attempt(target, 1, 2), attempt(target, 1, 3)
    assert first.kinds == second.kinds
    assert first.kinds != other.kinds
