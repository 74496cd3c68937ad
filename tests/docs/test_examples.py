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
A_TEST = "test_my_workflow.py"
LONGER = {"event_waiting.py": 120}  # four workflows, the server that feeds them, and who sends what
ELSEWHERE = {"communication": "test_communication_example.py"}

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
    "payment_events.py": [
        "espresso machine: pay at https://pay.example/espresso-machine",
        "  half way: 50 %",
        "  log: espresso machine ordered",
        "  log: paid 4900 cents",
        "  espresso machine shipped, progress: 100",
        "grinder: pay at https://pay.example/grinder",
        "  half way: 50 %",
        "  log: grinder ordered",
        "  log: payment failed over 0 cents",
        "  grinder stays here, progress: refused",
        "milk jug: pay at https://pay.example/milk-jug",
        "  log: milk jug ordered",
        "  log: nobody paid",
        "  milk jug goes back to the shelf, progress: given up",
    ],
    "event_waiting.py": [
        "payment.completed: 202 accepted",
        "payment.completed: 202 accepted",
        "payment.completed: 202 accepted",
        "loan.approved: 202 accepted",
        "order.packed, order.picked_up, order.delivered: 202 accepted",
        "payment: {'payment': 'PAY-ORD-123', 'transaction': 'TXN-456', 'amount': 99.99}",
        "loan-1: LOAN-1 paid out, approved by Ada",
        "loan-2: LOAN-2 expired",
        "fulfilment: ['warehouse', 'carrier', 'customer']",
        "order: ORD-456 cancelled: payment timeout",
    ],
}

# What differs when an example runs again on its file: what is finished does not run again, what has no id is started anew.
SAYS_AGAIN = {
    **SAYS,
    "quickstart.py": [line for line in SAYS["quickstart.py"] if not line.startswith(("reserving", "charging"))],
    "fan_out.py": [*SAYS["fan_out.py"][:-1], "18 workflows in the file"],
}


def run(name: str, directory: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        cwd=directory, capture_output=True, text=True, check=False, timeout=30, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_every_example_is_tested_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*SAYS, A_TEST}
    folders = {path.parent.name for path in EXAMPLES.glob("*/*.py")}
    assert folders == set(ELSEWHERE)
    assert all((Path(__file__).parent / ELSEWHERE[folder]).exists() for folder in folders)


@pytest.mark.parametrize("name", SAYS)
def test_an_example_says_what_it_should_and_runs_again_on_the_same_file(name: str, tmp_path: Path) -> None:
    assert run(name, tmp_path) == SAYS[name]
    assert run(name, tmp_path) == SAYS_AGAIN[name]


def test_the_example_of_a_test_passes_with_pytest_alone(tmp_path: Path) -> None:
    """It holds a test of a mistake, which is found, and one of the same without the mistake."""
    (tmp_path / A_TEST).write_text((EXAMPLES / A_TEST).read_text())
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-p", "litewf.testing.plugin", A_TEST],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert "3 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("name", [*SAYS, A_TEST])
def test_an_example_is_short(name: str) -> None:
    assert len((EXAMPLES / name).read_text().splitlines()) < LONGER.get(name, MOST_LINES)


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.name)
def test_an_example_imports_only_public_names(path: Path) -> None:
    imported = re.findall(r"litewf\._\w+|(?:from|import) (litewf\.\w+)", path.read_text())
    assert set(imported) <= {"litewf.web", "litewf.testing"}
