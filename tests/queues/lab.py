"""A queue under a microscope: jobs whose bodies run until they are told to end, on an engine under virtual time.

A job follows a script, a letter for each act: `h` runs a body until `release`, `s` sleeps for ten seconds, `r` waits for
a message, `c` puts a child on its own queue and waits for it, `x` fails. After each act of the test the engine comes to
rest, so what runs then is what the limits of the queue allow, and nothing is left to chance.
"""

import asyncio
import faulthandler
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw

import litewf
from litewf.testing import MortalEngine, VirtualClock
from tests.stage import PATIENCE_S

NAP_S = 10.0


class Lab:
    """One file, and one engine after the other on it."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.clock = VirtualClock(mode="driven", despite_bodies=True, patience=PATIENCE_S)
        self.options = {
            "application_version": "1",
            "recover": "compatible",
            "linger": 0,
            "durability": "normal",
            **options,
        }
        self.priority_of_children: int | None = None
        self.bodies: dict[str, tuple[asyncio.AbstractEventLoop, asyncio.Event]] = {}  # that run now
        self.begun: list[str] = []  # ids of workflows, as their bodies began
        self.ran: list[tuple[str, int]] = []  # ids of workflows and the time, as their code began or was replayed
        self.registry = litewf.Registry()
        self._define()
        self.engine = self._launch()

    # --- the jobs ---------------------------------------------------------------------------------------------

    def _define(self) -> None:
        @self.registry.step(name="body")
        async def body() -> None:
            name, gate = litewf.workflow_id(), asyncio.Event()
            assert name not in self.bodies, f"two bodies of {name} run at once"
            self.begun.append(name)
            entry = self.bodies[name] = (asyncio.get_running_loop(), gate)
            try:
                await gate.wait()
            finally:
                if self.bodies.get(name) is entry:
                    del self.bodies[name]

        @self.registry.workflow(name="job")
        async def job(script: str, queue: str, partition: str | None = None) -> str:
            self.ran.append((litewf.workflow_id(), self.clock.now_us()))
            for act in script:
                if act == "h":
                    await body()
                elif act == "s":
                    await litewf.sleep_async(NAP_S)
                elif act == "r":
                    await litewf.recv_async()
                elif act == "x":
                    raise ValueError("as the script says")
                else:
                    child = self.job.with_options(partition_key=partition, priority=self.priority_of_children)
                    handle = await litewf.enqueue_async(queue, child, "h", queue, partition)
                    with suppress(litewf.WorkflowCancelledError):
                        await handle.get_result_async()
            return script

        self.job = job

    def enqueue(self, queue: str, script: str = "h", **options: Any) -> Any:
        """Put a job on a queue, and let everything happen that can happen now."""
        partition = options.get("partition_key")
        handle = self.engine.enqueue(queue, self.job.with_options(**options), script, queue, partition)
        self.rest()
        return handle

    def release(self, workflow_id: str) -> None:
        """Let the body of a job end."""
        loop, gate = self.bodies[workflow_id]
        loop.call_soon_threadsafe(gate.set)
        while workflow_id in self.bodies and self.bodies[workflow_id][1] is gate:
            self.rest()
        self.rest()

    @property
    def running(self) -> set[str]:
        """Whose bodies run."""
        return set(self.bodies)

    def slots(self) -> set[str]:
        """Which workflows hold a slot, as the file says."""
        return {row[0] for row in self.rows("SELECT id FROM task JOIN workflow ON key = workflow WHERE slot = 1")}

    def rows(self, sql: str) -> list[Any]:
        connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return list(connection.execute(sql))
        finally:
            connection.close()

    # --- time and death ---------------------------------------------------------------------------------------

    def _launch(self) -> MortalEngine:
        faulthandler.dump_traceback_later(3 * PATIENCE_S, exit=True)  # each life has its own patience
        engine = MortalEngine(self.path, clock=self.clock, registry=self.registry, **self.options)
        engine.launch()
        return engine

    def rest(self, seconds: float = 0.0) -> None:
        """Let time pass until nothing more happens."""
        self.engine.clock.advance(seconds)

    def rest_for_ever(self) -> None:
        self.engine.drain()

    def crash(self) -> None:
        """Kill the engine, and launch another one."""
        self.die()
        self.engine = self._launch()
        self.rest()

    def die(self) -> None:
        self.bodies.clear()
        self.engine.kill()
        self.bodies.clear()

    def close(self) -> None:
        self.engine.shutdown(0)
