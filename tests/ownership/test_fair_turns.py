"""Write turns are shared fairly: none of several saturated engine processes starves."""

import time

import pytest
from children import Spawn

SATURATED = """
import asyncio
registry = litewf.Registry()
counts = [0]
stop = False

@registry.step
async def nothing() -> None:
    counts[0] += 1

@registry.workflow
async def flow() -> None:
    while not stop:
        await nothing()

async def main() -> None:
    global stop
    async with litewf.Engine(path, registry=registry) as engine:
        for _ in range(WORKFLOWS):
            await engine.start_workflow_async(flow)
        say("up")
        begin, seconds = (float(word) for word in (await asyncio.to_thread(hear)).split())
        await asyncio.sleep(begin - time.monotonic())
        before = counts[0]
        await asyncio.sleep(seconds)
        done = counts[0] - before
        stop = True
        say(done)

asyncio.run(main())
"""


def shares(spawn: Spawn, processes: int, seconds: float, workflows: int) -> list[float]:
    """How much of a fair share each process got of all steps that were recorded in that time."""
    children = [spawn(SATURATED.replace("WORKFLOWS", str(workflows))) for _ in range(processes)]
    for child in children:
        assert child.hear() == "up"
    begin = time.monotonic() + 0.3
    for child in children:
        child.say(f"{begin} {seconds}")
    counts = [int(child.hear()) for child in children]
    fair = sum(counts) / len(counts)
    assert fair > 10 * seconds
    return [count / fair for count in counts]


def test_none_of_four_saturated_processes_starves(spawn: Spawn) -> None:
    got = shares(spawn, 4, 1.0, 20)
    print("shares", got)
    assert min(got) > 0.4  # a short look at a busy machine; the next test measures


@pytest.mark.nightly
@pytest.mark.parametrize("workflows", [1, 20, 200])
def test_nobody_gets_less_than_0_8_of_a_fair_share(spawn: Spawn, workflows: int) -> None:
    got = shares(spawn, 4, 15.0, workflows)
    print("shares", got)
    assert min(got) > 0.8, got
