"""Everything that a change must pass, in one command: lint, types, tests."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
LINT = (("ruff", "check", "."), ("ruff", "format", "--check", "."))
TYPES = ("mypy", "-p", "litewf")
# two workers for each of two cores: while a test waits, as for a process that it has started, another one works
TESTS = ("pytest", "-n", "4", "--dist", "worksteal", "-m", "not nightly")


def begin(check: tuple[str, ...]) -> "subprocess.Popen[bytes]":
    """Start a check."""
    print("$", *check, flush=True)
    return subprocess.Popen([sys.executable, "-m", *check], cwd=ROOT)


def main() -> int:
    """Run the checks, types and tests beside each other; stop at the first that fails."""
    for check in LINT:
        if status := begin(check).wait():
            return status
    types, tests = begin(TYPES), begin(TESTS)
    if status := types.wait():
        tests.terminate()
        tests.wait()
        return status
    return tests.wait()


if __name__ == "__main__":
    sys.exit(main())
