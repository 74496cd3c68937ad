"""Runs the console sessions of a page in one shell, and compares what they print with what the page says."""

import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

STATUS = re.compile(r"\[exit status (\d+)\]")
BLANKS = re.compile(" +")
END = "-- end of the command"


class Command(NamedTuple):
    """One command of a session, with what it prints; `...` stands for anything."""

    line: str
    expected: str
    status: int


def commands(page: str) -> Iterator[Command]:
    """The commands of all console blocks of a page, in order."""
    for block in re.findall(r"^```shell-session\n(.*?)^```", page, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, printed = part.partition("\n")
            status = STATUS.search(printed)
            yield Command(line, STATUS.sub("", printed).strip("\n"), int(status[1]) if status else 0)


class Shell:
    """One shell that remembers, as a reader's does."""

    def __init__(self, **settings: object) -> None:
        self._process = subprocess.Popen(
            ["/bin/sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **settings
        )  # type: ignore[call-overload]

    def run(self, line: str) -> tuple[str, int]:
        """What a command prints, on both streams, and its exit status."""
        stdin, stdout = self._process.stdin, self._process.stdout
        stdin.write(f"{line}\nset -- $?; echo; echo '{END}' $1\n")
        stdin.flush()
        printed = []
        for text in stdout:
            if text.startswith(END):
                return "".join(printed).strip("\n"), int(text.split()[-1])
            printed.append(text)
        raise AssertionError(f"the shell ended in {line}")

    def close(self) -> None:
        self._process.communicate("exit\n", timeout=30)


def matches(printed: str, expected: str) -> bool:
    """Whether the output is what the page says, where `...` stands for anything and columns may be wider."""
    pattern = re.escape(BLANKS.sub(" ", expected)).replace(re.escape("..."), ".*")
    return re.fullmatch(pattern, BLANKS.sub(" ", printed), re.DOTALL) is not None
