"""Runs the programs of one page, as `python -m tests.docs.page docs/waiting.md` in a directory of its own.

A page is one program: its python blocks run in order, in one namespace, and between them the commands of its console
blocks. What a block claims is checked:

    print(...)  # text        that line is printed, and such lines in this order
    $ litewf ...              exits with 0, and says the lines below it in this order; `…` stands for anything
    ```sql                    is a query that a file of litewf answers
    ```python wrong           the block must misbehave: it ends with the error that its line `# raises Name: text`
                              names, or, when it does its harm in silence, it shows that with an `assert`
"""

from __future__ import annotations

import contextlib
import io
import linecache
import logging
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path
from typing import NamedTuple

import litewf

BLOCK = re.compile(r"^```(?P<kind>python|console|sql)(?P<mark>[^\n]*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"^\s*print\(.*\)  # (.+)$", re.MULTILINE)
RAISES = re.compile(r"^# raises (?:litewf\.)?(\w+): (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """One block of a page; `line` is where its code begins."""

    page: str
    line: int
    kind: str
    mark: str
    code: str


class UntrueError(AssertionError):
    """A page claims what is not so."""


def blocks(page: str, text: str) -> list[Block]:
    return [
        Block(page, text.count("\n", 0, match.start("code")) + 1, match["kind"], match["mark"].strip(), match["code"])
        for match in BLOCK.finditer(text)
    ]


def run_console(block: Block) -> None:
    """Run the commands of a block, and compare what they say with what it claims."""
    for told in re.split(r"^\$ ", block.code, flags=re.MULTILINE)[1:]:
        command, *claimed = told.rstrip().splitlines()
        program, *arguments = shlex.split(command)
        done = subprocess.run([sys.executable, "-m", program, *arguments], capture_output=True, text=True, check=False)
        where = f"{block.page}:{block.line}"
        if done.returncode != 0:
            raise UntrueError(f"{where}: {command!r} exited with {done.returncode}: {done.stderr}")
        printed = [line.strip() for line in done.stdout.splitlines()]
        rest = iter(printed)
        for line in claimed:
            pattern = ".*".join(map(re.escape, line.strip().split("…")))
            if not any(re.fullmatch(pattern, one) for one in rest):
                raise UntrueError(f"{where}: {command!r} did not say {line!r} there, but {printed}")


def ask(block: Block) -> None:
    """Put the query of a block to an empty file."""
    with litewf.Engine("empty.db", registry=litewf.Registry()) as engine:
        try:
            engine.query(block.code)
        except Exception as error:
            raise UntrueError(f"{block.page}:{block.line}: {error}") from error


def run(block: Block, namespace: dict[str, object]) -> None:
    """Run a block and compare what it does with what it claims."""
    if block.kind == "console":
        run_console(block)
        return
    if block.kind == "sql":
        ask(block)
        return
    where = f"{block.page}:{block.line}"
    code = "\n" * (block.line - 1) + block.code
    linecache.cache[where] = (len(code), None, code.splitlines(keepends=True), where)
    output = io.StringIO()
    error: BaseException | None = None
    with contextlib.redirect_stdout(output):
        try:
            exec(compile(code, where, "exec"), namespace)
        except Exception as raised:
            error = raised
    if block.mark not in ("", "wrong"):
        raise UntrueError(f"{where}: a block of Python is marked as nothing or as wrong, not as {block.mark!r}")
    check_error(where, block, error)
    check_output(where, PRINTED.findall(block.code), output.getvalue().splitlines())


def check_error(where: str, block: Block, error: BaseException | None) -> None:
    claim = RAISES.search(block.code)
    if block.mark != "wrong":
        if error is not None:
            raise UntrueError(f"{where}: {type(error).__name__}: {error}") from error
    elif claim is None:
        if error is not None or "assert " not in block.code:
            raise UntrueError(
                f"{where}: a wrong example says what it `# raises`, or shows its harm with an assert"
            ) from error
    elif type(error).__name__ != claim[1] or claim[2] not in str(error):
        raise UntrueError(f"{where}: it raised {type(error).__name__}: {error}, not {claim[1]}: {claim[2]}") from error


def check_output(where: str, claimed: list[str], printed: list[str]) -> None:
    rest = iter(printed)
    missing = [line for line in claimed if line not in rest]
    if missing:
        raise UntrueError(f"{where}: it did not print {missing[0]!r} there, but {printed}")


def run_page(path: Path) -> int:
    """Run all blocks of a page; how many there were."""
    module = types.ModuleType("guide")
    sys.modules["guide"] = module
    found = blocks(path.name, path.read_text())
    for block in found:
        run(block, module.__dict__)
    return len(found)


if __name__ == "__main__":
    logging.getLogger().addHandler(logging.NullHandler())  # what wrong examples log is no error of the page
    count = run_page(Path(sys.argv[1]))
    print(f"{count} blocks")
