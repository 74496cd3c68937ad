"""An engine in another process, started as its users start it, and the command line run here against its file."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import pytest

from litewf.cli import main
from litewf.store.migrate import migrations
from litewf.store.place import APPLICATION_ID
from tests.cli.cli_process import ROOT

PROGRAM = """
import dataclasses
import litewf

registry = litewf.Registry()

@dataclasses.dataclass
class Order:
    sku: int

class DeclinedError(Exception):
    pass

@registry.step(max_retries=3, base_interval=0.001)
def charge(order):
    if litewf.attempt() < 3:
        raise DeclinedError("card declined")
    return f"receipt {order['sku']}"

@registry.workflow(name="greet")
def greet(name, greeting="hello"):
    return f"{greeting} {name}"

@registry.workflow(name="family")
def family(depth):
    return Order(depth) if not depth else family(depth - 1)

@registry.workflow(name="checkout")
def checkout(order):
    receipt = charge(order)
    litewf.set_event("payment_url", f"/pay/{order['sku']}")
    family(1)
    paid = litewf.recv("payment", timeout=86_400)
    litewf.write_stream("log", "paid")
    litewf.write_stream("log", {"by": paid})
    return [receipt, paid]

@registry.workflow(name="fail")
def fail(message):
    raise DeclinedError(message)

@registry.workflow(name="nap")
def nap(seconds):
    litewf.sleep(seconds)
    return "awake"

@registry.workflow(name="hear")
def hear(type_):
    return litewf.wait_event(type_, timeout=60).data

@registry.workflow(name="tick")
def tick(scheduled_at, actual_at):
    return scheduled_at.isoformat()
"""


class Done(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def older_file(path: Path, version: int) -> None:
    """A file as a litewf of that schema has made it, without a workflow."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    for sql in migrations()[:version]:
        connection.execute(sql)
    connection.execute("INSERT INTO store (one, store_id, created_us) VALUES (1, 'old', 0)")
    connection.pragma("application_id", APPLICATION_ID)
    connection.pragma("user_version", version)
    connection.close()


Here = Callable[..., Done]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Here:
    """Run `litewf` with arguments, from its entry point on, in this process."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["litewf", *map(str, arguments)])
        status = main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Done(status, out, err)

    return run


def start(*arguments: str, folder: Path) -> "subprocess.Popen[str]":
    """A command that goes on, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-P", "-W", "error", "-m", "litewf", *arguments], cwd=folder, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def complaints(err: str) -> list[str]:
    """What a worker has logged, but for workflows that failed: tests want them to."""
    records = re.split(r"^(?=\d{4}-\d\d-\d\d )", err, flags=re.MULTILINE)
    return [record for record in records if record and not re.match(r".* ERROR litewf: workflow .* failed\n", record)]


@contextmanager
def worker(folder: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """`litewf run` on shop.db in a folder, ready when this begins; ended with SIGTERM."""
    (folder / "shop.py").write_text(PROGRAM)
    process = start("run", "shop:registry", "--db", "shop.db", *options, folder=folder)
    try:
        line = first_line(process)
        assert line.startswith("litewf runs shop:registry on shop.db"), process.communicate(timeout=30)
        yield process
    finally:
        if process.poll() is None:  # else the test has ended it, and looked at how it went
            process.terminate()
            out, err = process.communicate(timeout=60)
            assert (process.returncode, complaints(err)) == (0, []), out + err
            assert all(line.isprintable() for line in err.split("\n"))
        else:
            process.communicate(timeout=60)
