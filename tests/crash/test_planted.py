"""The tests would notice: each planted bug is caught, and without a bug nothing is."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.explorer import workplace
from tests.crash.planted import BUGS, Planted

ROOT = Path(__file__).parents[2]
PATIENCE_S = 600
SAMPLE = ("a commit is acknowledged before it is made", "nothing wakes who is parked", "a resume forgets the children")


def source(bug: Planted) -> str:
    return (ROOT / "litewf" / bug.file).read_text()


def detect(by: str, bug: Planted | None) -> dict[str, object]:
    """What a detector finds in a copy of litewf, with a bug or without."""
    with workplace() as folder:
        shutil.copytree(ROOT / "litewf", folder / "litewf", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "tests").symlink_to(ROOT / "tests")
        if bug is not None:
            (folder / "litewf" / bug.file).write_text(bug.applied_to(source(bug)))
        command = [sys.executable, "-m", "tests.crash.detect", by]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def check_caught(bug: Planted, request: pytest.FixtureRequest) -> None:
    found = detect(bug.by, bug)
    assert found["caught"], f"{bug.name}: not noticed by {bug.by} in {found['cycles']} cycles"
    request.node.user_properties.append(("planted", (bug.name, found["cycles"])))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_bug_can_be_planted_in_the_engine_as_it_is_now(bug):
    compile(bug.applied_to(source(bug)), bug.file, "exec")


def test_there_are_at_least_thirty_bugs_and_no_two_are_the_same():
    assert len(BUGS) >= 30
    assert len({bug.name for bug in BUGS}) == len({(bug.file, bug.old, bug.new) for bug in BUGS}) == len(BUGS)


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug.name in SAMPLE], ids=lambda bug: bug.name)
def test_some_planted_bugs_are_caught(bug, request):
    check_caught(bug, request)


@pytest.mark.nightly
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_every_planted_bug_is_caught(bug, request):
    check_caught(bug, request)


@pytest.mark.nightly
@pytest.mark.parametrize("by", sorted({bug.by for bug in BUGS}))
def test_without_a_bug_nothing_is_caught(by):
    found = detect(by, None)
    assert not found["caught"], found["what"]
