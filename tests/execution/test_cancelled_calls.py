"""A task that is cancelled while what it asked for is being written, outside workflows: it hears of it at once, there."""

import asyncio
import threading
from pathlib import Path

import pytest

import litewf
from litewf.world import World


class Held(World):
    """The commit after `hold()` is not made before `go`."""

    def __init__(self) -> None:
        super().__init__(reach=self._reached)
        self.begun = threading.Event()
        self.go = threading.Event()
        self._held = False

    def hold(self) -> None:
        self._held = True

    def _reached(self, point: str) -> None:
        if self._held and point == "commit.before":
            self._held = False
            self.begun.set()
            assert self.go.wait(20)


def test_a_timeout_around_a_start_that_is_being_written_is_that_timeout_and_cancels_nothing_later(
    path: Path, registry: litewf.Registry
) -> None:
    @registry.workflow
    async def flow() -> str:
        return "done"

    world = Held()

    async def main() -> object:
        loop = asyncio.get_running_loop()
        async with litewf.Engine(path, registry=registry, world=world) as engine:
            world.hold()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(None) as limit:

                    def expire() -> None:
                        limit.reschedule(loop.time())
                        loop.call_soon(loop.call_soon, world.go.set)  # when the task has been cancelled

                    threading.Thread(target=lambda: world.begun.wait(20) and loop.call_soon_threadsafe(expire)).start()
                    await engine.start_workflow_async(flow.with_options(workflow_id="w"))
            await asyncio.sleep(0)
            handle = await engine.retrieve_workflow_async("w")
            return await handle.get_result_async()

    assert asyncio.run(main()) == "done"
