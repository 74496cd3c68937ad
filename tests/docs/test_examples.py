"""Every example runs as its readers would run it, says what it should, and says it again on the same file."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
MOST_LINES = 80

SAYS = {
    "quickstart.py": [
        "reserving espresso machine",
        "charging 24900 cents, with the key order-1:2",
        "receipt over 24900 cents",
        "  step 1: reserve",
        "  step 2: charge",
        "  step 3: litewf.sleep",
    ],
    "async_quickstart.py": ["saved 1000", "6 steps recorded"],
    "fan_out.py": [
        "the fastest is warehouse with 900",
        "the cheapest is bazaar with 600",
        "9 workflows in the file",
    ],
    "retries.py": [
        "charged 4900 cents at attempt 3",
        "no label after 3 attempts: out of paper",
        "refunded 4900 cents",
        "declined: over the limit",
    ],
}


def run(name: str, directory: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        cwd=directory, capture_output=True, text=True, check=False, timeout=30, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_every_example_is_tested_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", SAYS)
def test_an_example_says_what_it_should(name: str, tmp_path: Path) -> None:
    assert run(name, tmp_path) == SAYS[name]


@pytest.mark.parametrize("name", SAYS)
def test_an_example_is_short_and_imports_only_public_names(name: str) -> None:
    text = (EXAMPLES / name).read_text()
    assert len(text.splitlines()) < MOST_LINES
    assert not re.search(r"litewf\._|from litewf\.|import litewf\.", text)


def test_the_quickstart_run_again_replays_its_finished_order(tmp_path: Path) -> None:
    run("quickstart.py", tmp_path)
    again = run("quickstart.py", tmp_path)
    assert again == [line for line in SAYS["quickstart.py"] if not line.startswith(("reserving", "charging"))]
