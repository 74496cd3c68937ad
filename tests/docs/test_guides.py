"""The guides say what is so: each of their programs runs, each wrong example goes wrong, each link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from litewf.cli.app import COMMANDS
from tests.docs import page

ROOT = Path(__file__).parents[2]
GUIDES = sorted((ROOT / "docs").glob("*.md"))
INDEX = (ROOT / "docs" / "README.md").read_text()


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_the_programs_of_a_guide_do_what_it_says(path: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.docs.page", str(path)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout.endswith(" blocks\n")


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_the_links_of_a_guide_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_index_names_every_guide() -> None:
    assert {path.name for path in GUIDES} - {"README.md"} <= set(re.findall(r"\]\(([\w-]+\.md)\)", INDEX))


@pytest.mark.parametrize("path", [path for path in GUIDES if path.name != "README.md"], ids=lambda path: path.stem)
def test_a_guide_is_short_and_shows_programs(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    assert page.blocks(path.name, text)


def test_the_commands_of_the_guides_exist() -> None:
    known = {entry.name for entry in COMMANDS}
    shell = [block for path in GUIDES for block in re.findall(r"```sh\n(.*?)```", path.read_text(), re.DOTALL)]
    named = set(re.findall(r"^litewf ([\w-]+)", "\n".join(shell), re.MULTILINE))
    assert named
    assert named <= known


WRONG = "```python wrong\n"


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("```python\nraise ValueError('no')\n```", "ValueError: no"),
        ("```python\nprint(1)  # 2\n```", "did not print '2'"),
        ("```python\nprint(2)  # 2\nprint(1)  # 1\nprint(2)  # 3\n```", "did not print '3'"),
        (f"{WRONG}x = 1\n```", "shows its harm"),
        (f"{WRONG}raise ValueError('no')\n```", "shows its harm"),
        (f"{WRONG}x = 1\n# raises ValueError: no\n```", "NoneType"),
        (f"{WRONG}int('x')\n# raises TypeError: x\n```", "it raised ValueError"),
        (f"{WRONG}int('x')\n# raises ValueError: y\n```", "it raised ValueError"),
        (f"{WRONG}assert 1 == 2\n```", "shows its harm"),
        ("```python later\nx = 1\n```", "marked as nothing or as wrong"),
        ("```sql\nSELECT moon FROM workflow_view\n```", "no such column"),
        ("```console\n$ litewf show order-1\n```", "exited with"),
        ("```console\n$ litewf --version\nlitewf … of the moon\n```", "did not say"),
    ],
    ids=[
        "error",
        "output",
        "order",
        "harmless",
        "unnamed",
        "no-error",
        "other-error",
        "other-text",
        "assert",
        "mark",
        "sql",
        "exit",
        "answer",
    ],
)
def test_a_page_that_claims_what_is_not_so_is_found(
    text: str, because: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where its programs leave their files
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    path = tmp_path / "page.md"
    path.write_text(f"# Page\n\n{text}\n")
    with pytest.raises(page.UntrueError, match=re.escape(because)):
        page.run_page(path)


def test_a_true_page_passes_and_its_blocks_share_names(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(
        "```python\nx = 2\n```\n\n```python\nprint(x)  # 2\n```\n\n"
        f"{WRONG}int('x')\n# raises ValueError: invalid literal\n```\n\n{WRONG}assert x == 2  # should be 3\n```\n"
    )
    assert page.run_page(path) == 4
