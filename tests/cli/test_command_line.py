"""The program around the commands: how it starts, what it says without its packages, what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import litewf
from tests.cli.cli_process import ROOT, Cli
from tests.cli.live import Here

WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from litewf.cli import main
sys.exit(main())
"""


def test_version_is_said(cli: Cli) -> None:
    done = cli("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("litewf ")


def test_help_names_every_command(cli: Cli) -> None:
    done = cli("--help")
    assert done.returncode == 0
    for command in ("demo", "bench", "serve", "run-due"):
        assert command in done.stdout


WRONG = [
    ("dmeo", "litewf: no such command 'dmeo'. Did you mean 'demo'? (see litewf --help)"),
    ("show", "litewf: missing argument 'ID' (see litewf show --help)"),
    ("list --nope", "litewf: no such option: --nope"),
    ("list --since soon", "litewf: --since: 'soon' is no time; write one such as"),
    ("list --limit x", "litewf: --limit: "),
    ("list --interval 2s", "litewf: --interval: it says how often to --watch"),
    ("start greet {", "litewf: VALUE: '{' begins like JSON, but it is none"),
    ("start greet --timeout 1s", "litewf: --timeout: it says how long to --wait"),
    ("event w-1 --timeout 1s", "litewf: --timeout: it says how long to wait for an event; name its KEY"),
    ("stream w-1 log --timeout 1s", "litewf: --timeout: it says how long to --follow"),
    ("queues update mail", "litewf: give at least one limit to change"),
    ("prune", "litewf: missing option '--older-than'"),
]


@pytest.mark.parametrize(("line", "expected"), WRONG, ids=[line for line, _ in WRONG])
def test_a_wrong_command_line_is_one_line_and_touches_nothing(
    here: Here, tmp_path: Path, line: str, expected: str
) -> None:
    done = here(*line.split(), *(("--db", tmp_path / "gone.db") if line not in {"dmeo", "show"} else ()))
    assert (done.status, done.out, len(done.err.splitlines())) == (2, "", 1)
    assert done.err.startswith(expected)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["--help", "list --help", "queues --help"])
def test_who_reads_no_further_ends_it_quietly(command: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "litewf", *command.split()],
        stdout=writer, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
def test_an_answer_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with litewf.Engine(tmp_path / "flows.db", registry=litewf.Registry()):
        pass
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [sys.executable, "-P", "-m", "litewf", "versions", "--json", "--db", str(tmp_path / "flows.db")],
            stdout=full, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
        )  # fmt: skip
    said = b"litewf: the answer cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (6, said)


@pytest.mark.parametrize("closed", [1, 2], ids=["output", "errors"])
def test_a_stream_that_is_closed_is_done_without(closed: int) -> None:
    code = "import os, sys; os.close(int(sys.argv[1])); os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(closed), "-P", "-m", "litewf", "list", "--db", "gone.db"],
        capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (5, b"")
    assert done.stderr.startswith(b"litewf: there is no file" if closed == 1 else b"")


@pytest.mark.parametrize("package", ["typer", "rich"])
def test_without_its_packages_it_says_in_one_line_what_to_install(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", WITHOUT, package, "demo"],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert "pip install 'litewf[cli]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_in_the_current_directory_shadows_no_module(cli: Cli, tmp_path: Path) -> None:
    for name in ("random.py", "litewf.py", "apsw.py"):
        (tmp_path / name).write_text("raise SystemExit('shadowed')")
    done = cli("bench", "--quick", "--json", "--only", "import")
    assert (done.returncode, done.stderr.count("shadowed")) == (0, 0)


def test_importing_litewf_loads_nothing_of_the_command_line() -> None:
    code = "import litewf, sys; litewf.workflow; print(*{'typer', 'rich', 'litewf.cli'} & set(sys.modules))"
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT)
    assert loaded.split() == []
