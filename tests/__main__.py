"""Everything that a change must pass, in one command: lint, types, tests."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy", "-p", "litewf"),
    ("pytest", "-n", "2", "-m", "not nightly"),
)


def main() -> int:
    """Run the checks in order; stop at the first that fails."""
    for check in CHECKS:
        print("$", *check, flush=True)
        done = subprocess.run([sys.executable, "-m", *check], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
