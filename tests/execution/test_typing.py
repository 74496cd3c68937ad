"""The types that a user's own checker sees: parameters and results pass through everything that is decorated."""

import os
import subprocess
import sys
from pathlib import Path

import litewf

SAMPLE = Path(__file__).with_name("typed_sample.py")


def test_a_strict_checker_sees_parameters_and_results(tmp_path: Path) -> None:
    root = Path(litewf.__file__).parents[1]
    settings = tmp_path / "mypy.ini"
    settings.write_text("[mypy]\nstrict = True\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", settings, "--cache-dir", root / ".mypy_cache", SAMPLE],
        cwd=root, env={**os.environ, "MYPYPATH": str(root)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = [line for line in done.stdout.splitlines() if line.startswith("tests/")]
    assert found == [], "\n".join(found)
    assert done.returncode in (0, 1), done.stderr
