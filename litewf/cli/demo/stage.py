"""Starts the shop, kills it with SIGKILL at the chosen moments, starts it again, and gathers the proof at the end."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import litewf
from litewf.cli import processes
from litewf.cli.demo import ledger, shop
from litewf.cli.demo.channel import GO, Message, What, parse
from litewf.cli.demo.ending import Proof
from litewf.cli.demo.screen import Screen
from litewf.cli.demo.story import Story

# Each process is killed when it says this; the last one lives. The charge is recorded and the next step not begun;
# then: the workflow sleeps, and is nothing but a row in the file.
KILLS: tuple[tuple[What, str], ...] = (("ran", "charge_card"), ("asleep", "sleep"))
PATIENCE = 10.0  # seconds for a process


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one performance."""

    db: Path

    @property
    def ledger(self) -> Path:
        return self.db.with_name(f"{self.db.stem}.ledger.jsonl")

    @property
    def log(self) -> Path:
        return self.db.with_name(f"{self.db.stem}.log")


def perform(place: Place, screen: Screen) -> Story:
    """Play it from the first process to the last."""
    story = Story()
    for moment in (*KILLS, None):
        with _shop(place) as process:
            screen.began(story, story.begin(process.pid))
            _play(process, moment, story, screen)
    return story


def _play(process: subprocess.Popen[str], moment: tuple[What, str] | None, story: Story, screen: Screen) -> None:
    """Listen to one process until it ends, or until it says that for which it is killed."""
    for message in _messages(process):
        story.hear(message)
        screen.heard(story, message)
        if (message.what, message.step) == moment:
            time.sleep(screen.pace)
            process.kill()
            story.runs[-1].killed = process.wait() == -signal.SIGKILL
            screen.killed(story)
            time.sleep(screen.pace)
            return
        if message.waits:
            time.sleep(screen.pace)
            _go_on(process)
    process.wait()


def gather_proof(place: Place, story: Story) -> Proof:
    """Read the ledger, and the file with an engine that knows none of the shop's code."""
    entries = ledger.read(place.ledger)
    with litewf.Engine(place.db, registry=litewf.Registry()) as engine:
        found = engine.list_workflows(workflow_ids=[shop.ORDER_ID])
        steps = engine.list_steps(shop.ORDER_ID) if found else []
    return Proof(place.db, place.ledger, place.log, story, entries, found[0] if found else None, steps)


@contextmanager
def _shop(place: Place) -> Iterator[subprocess.Popen[str]]:
    """A process of the shop; it does not outlive the block, nor PATIENCE."""
    with place.log.open("a") as log:
        process = subprocess.Popen(  # noqa: S603 - this very program's own module
            processes.command("litewf.cli.demo.shop", str(place.db), str(place.ledger)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            env=processes.environment(), start_new_session=True,
        )  # fmt: skip
    watchdog = threading.Timer(PATIENCE, process.kill)
    watchdog.daemon = True
    watchdog.start()
    try:
        with process:
            try:
                yield process
            finally:
                process.kill()
    finally:
        watchdog.cancel()


def _messages(process: subprocess.Popen[str]) -> Iterator[Message]:
    assert process.stdout is not None
    for line in process.stdout:
        yield parse(line)


def _go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):  # it has died; its output ends too, and the proof will say so
        process.stdin.write(GO)
        process.stdin.flush()
