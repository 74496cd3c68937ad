"""Two processes that talk through one file, each killed by turns: every message arrives once, in order (E1, E3, E5, E6)."""

import json
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import litewf
from tests.crash.invariants import Image
from tests.ownership.children import Child

MESSAGES = 400  # of each sender: more than one life sends

RECEIVER = """
import asyncio, json
registry = litewf.Registry()

@registry.workflow(name="collect")
async def collect(count):
    async def all_of(topic):
        got = []
        for n in range(count):
            got.append(await litewf.recv_async(topic))
            if n % 50 == 0:
                await litewf.set_event_async(topic, n)
        return got
    return await asyncio.gather(all_of("workflow"), all_of("outside"))

with litewf.Engine(path, registry=registry, linger=0.001, durability="normal") as engine:
    handle = engine.start_workflow(collect.with_options(workflow_id="c"), COUNT)
    say("up")
    if hear() == "result":
        say(json.dumps(handle.get_result()))
""".replace("COUNT", str(MESSAGES))

SENDER = """
registry = litewf.Registry()

@registry.workflow(name="deliver")
def deliver(count):
    for n in range(count):
        litewf.send("c", n, "workflow")

with litewf.Engine(path, registry=registry, linger=0.001, durability="normal") as engine:
    handle = engine.start_workflow(deliver.with_options(workflow_id="d"), COUNT)
    say("up")
    for n in range(int(hear()), COUNT):
        engine.send("c", n, "outside", idempotency_key=f"o {n}")
        say(n)
    handle.get_result()
    say("done")
""".replace("COUNT", str(MESSAGES))


@pytest.fixture
def spawn(path: Path) -> Iterator[Callable[[str], Child]]:
    started: list[Child] = []

    def start(code: str) -> Child:
        started.append(Child(code, path))
        assert started[-1].hear() == "up"
        return started[-1]

    yield start
    for child in started:
        child.close()


class Conversation:
    """Who lives just now, and what the sender was told is sent."""

    def __init__(self, spawn: Callable[[str], Child]) -> None:
        self._spawn = spawn
        self.acknowledged = 0
        self.receiver = spawn(RECEIVER)
        self.sender = self._send_on()

    def _send_on(self) -> Child:
        sender = self._spawn(SENDER)
        sender.say(str(self.acknowledged))
        return sender

    def kill_sender(self) -> None:
        self.sender.popen.kill()
        assert self.sender.popen.stdout is not None
        told = [line for line in self.sender.popen.stdout if line.endswith("\n") and line.strip().isdecimal()]
        if told:
            self.acknowledged = int(told[-1]) + 1
        self.sender = self._send_on()

    def kill_receiver(self) -> None:
        self.receiver.kill()
        self.receiver = self._spawn(RECEIVER)

    def finish(self) -> list[list[int]]:
        """Let both come to their end; what was received."""
        while self.sender.hear() != "done":
            pass
        received: list[list[int]] = json.loads(self.receiver.ask("result"))
        assert self.sender.end()[0] == 0
        assert self.receiver.end()[0] == 0
        return received


def _kill_by_turns(spawn: Callable[[str], Child], path: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    talk = Conversation(spawn)
    for number in range(kills):
        threading.Event().wait(chance.uniform(0, 0.04))  # the moment of death: real time is the point here
        if number % 2:
            talk.kill_receiver()
        else:
            talk.kill_sender()
    assert talk.finish() == [list(range(MESSAGES))] * 2
    image = Image.of(path)
    assert list(image.broken(at_the_end=False)) == []  # whoever died last may still be listed
    assert {status for status, *_ in image.workflows.values()} == {"SUCCESS"}
    image.close()


def test_two_processes_killed_by_turns_lose_no_message(spawn: Callable[[str], Child], path: Path) -> None:
    _kill_by_turns(spawn, path, kills=4, seed=1)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20))
def test_two_processes_killed_often_lose_no_message(spawn: Callable[[str], Child], path: Path, seed: int) -> None:
    _kill_by_turns(spawn, path, kills=20, seed=seed)


ANSWERING = """
registry = litewf.Registry()

@registry.workflow(name="answering")
def answering():
    while (question := litewf.recv()) is not None:
        litewf.send("asking", question * 2, "answer")
        litewf.set_event(str(question), question * 3)

with litewf.Engine(path, registry=registry, linger=LINGER) as engine:
    handle = engine.start_workflow(answering.with_options(workflow_id="answering"))
    say("up")
    handle.get_result()
"""


@pytest.mark.parametrize("linger", [0, None])
def test_workflows_of_two_processes_wake_each_other(spawn: Callable[[str], Child], path: Path, linger: float) -> None:
    """E5, B9: with the messages of one topic and the events of the other process."""
    registry = litewf.Registry()

    @registry.workflow
    def asking() -> list[tuple[int, int]]:
        got = []
        for n in range(20):
            litewf.send("answering", n)
            got.append((litewf.recv("answer"), litewf.get_event("answering", str(n))))
        litewf.send("answering", None)
        return got

    child = spawn(ANSWERING.replace("LINGER", str(linger)))
    with litewf.Engine(path, registry=registry, linger=linger) as engine:
        handle = engine.start_workflow(asking.with_options(workflow_id="asking"))
        assert engine.get_event("answering", "7", timeout=20) == 21
        assert handle.get_result(timeout=20) == [(2 * n, 3 * n) for n in range(20)]
    assert child.end()[0] == 0
