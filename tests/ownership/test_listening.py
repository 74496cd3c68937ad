"""A quiet engine hears of other processes' commits; where the system does not tell, it looks."""

import threading
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from children import Spawn

import litewf
from litewf.store.ear import Ear

LONG_US = 200_000  # what only an engine that listens sleeps at a time
CLIENT = """
with litewf.Client(path) as client:
    say("up")
    while (line := hear()):
        client.send("w", line)
        say("sent")
"""
WORDS = ["one", "two", "three", "four"]


class Sleeper(litewf.Clock):
    """Tells each time that an engine listens; a deep sleeper would then never look again by itself."""

    def __init__(self, *, deep: bool) -> None:
        self.deep = deep
        self.listens = threading.Semaphore(0)
        self.waits: SimpleQueue[int] = SimpleQueue()

    def wait(self, condition: threading.Condition, timeout_us: int) -> None:
        self.waits.put(timeout_us)
        if timeout_us >= LONG_US:
            self.listens.release()
        condition.wait(None if self.deep and timeout_us >= LONG_US else timeout_us / 1_000_000)


@pytest.fixture
def reader(registry: litewf.Registry) -> Any:
    @registry.workflow
    def reader() -> list[str]:
        return [litewf.recv() for _ in WORDS]

    return reader.with_options(workflow_id="w")


def listeners() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "litewf-listener"]


@pytest.mark.skipif(Ear.open(Path("x")) is None, reason="this system does not tell of writes to a file")
def test_an_engine_hears_of_each_commit_of_another_process_and_need_not_look(
    path: Path, registry, reader, spawn: Spawn
):
    clock = Sleeper(deep=True)
    with litewf.Engine(path, registry=registry, clock=clock, linger=0) as engine:
        child = spawn(CLIENT)
        assert child.hear() == "up"
        handle = engine.start_workflow(reader)
        for word in WORDS:
            assert clock.listens.acquire(timeout=20)
            assert child.ask(word) == "sent"
        assert handle.get_result(timeout=20) == WORDS
    assert not listeners()


SLOW = """
import apsw
class Disk(apsw.VFS):
    def __init__(self):
        super().__init__("slow", "unix", makedefault=True)
    def xOpen(self, name, flags):
        return File(name, flags)
class File(apsw.VFSFile):
    def __init__(self, name, flags):
        super().__init__("unix", name, flags)
    def xSync(self, flags):
        if slow:
            say("syncing")
            hear()
        super().xSync(flags)
slow, disk = False, Disk()
with litewf.Client(path) as client:
    say("up")
    word = hear()
    slow = True
    client.send("w", word)
    slow = False
    say("sent")
    hear()
"""


@pytest.mark.skipif(Ear.open(Path("x")) is None, reason="this system does not tell of writes to a file")
def test_after_it_has_heard_a_commit_begin_an_engine_looks_until_it_can_be_seen(
    path: Path, registry, spawn: Spawn
) -> None:
    """A commit is written first and seen once it is on the disk: an engine slept for 0.25 s in between."""

    @registry.workflow
    def reader() -> str:
        return litewf.recv()

    clock = Sleeper(deep=True)
    with litewf.Engine(path, registry=registry, clock=clock, linger=0) as engine:
        child = spawn(SLOW)
        assert child.hear() == "up"
        handle = engine.start_workflow(reader.with_options(workflow_id="w"))
        while clock.waits.get(timeout=20) < LONG_US:
            pass
        assert child.ask("late") == "syncing"
        assert clock.waits.get(timeout=20) < LONG_US
        clock.deep = False
        assert child.ask("go") == "sent"
        assert handle.get_result(timeout=20) == "late"


@pytest.mark.skipif(Ear.open(Path("x")) is None, reason="this system does not tell of writes to a file")
def test_when_it_begins_to_listen_it_looks_until_what_was_written_before_can_be_seen(
    path: Path, registry, monkeypatch
) -> None:
    """A commit whose write came too early to be heard was found a quarter of a second later."""
    clock = Sleeper(deep=True)

    class Telling(Ear):
        def prick(self) -> None:
            super().prick()
            clock.waits.put(-1)

    monkeypatch.setattr("litewf.store.store.Ear", Telling)
    with litewf.Engine(path, registry=registry, clock=clock):
        while clock.waits.get(timeout=20) >= 0:
            pass
        assert clock.waits.get(timeout=20) < LONG_US
        assert clock.listens.acquire(timeout=20)  # in the end it sleeps


class Deaf(Ear):
    """The system promises to tell, and does not."""

    def prick(self) -> None:
        pass


def test_a_deaf_engine_finds_out_and_looks(path: Path, registry, reader, spawn: Spawn, monkeypatch):
    monkeypatch.setattr("litewf.store.store.Ear", Deaf)
    clock = Sleeper(deep=False)
    with litewf.Engine(path, registry=registry, clock=clock, linger=0) as engine:
        child = spawn(CLIENT)
        assert child.hear() == "up"
        handle = engine.start_workflow(reader)
        assert clock.listens.acquire(timeout=20)
        messages = iter(WORDS + ["more"] * 20)
        while listeners():
            assert child.ask(next(messages)) == "sent"
            clock.listens.acquire(timeout=0.5)  # a miss counts only while it listens
        for message in messages:
            assert child.ask(message) == "sent"
        assert handle.get_result(timeout=20) == WORDS


def test_an_engine_looks_where_the_system_tells_nothing(path: Path, registry, reader, spawn: Spawn, monkeypatch):
    monkeypatch.setattr(Ear, "open", lambda _path: None)
    with litewf.Engine(path, registry=registry, clock=Sleeper(deep=True), linger=0) as engine:
        child = spawn(CLIENT)
        assert child.hear() == "up"
        handle = engine.start_workflow(reader)
        for word in WORDS:
            assert child.ask(word) == "sent"
        assert handle.get_result(timeout=20) == WORDS
