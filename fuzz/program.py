"""A program whose file is damaged: workflows of each kind, most of them in the middle, and what must come of them.

`left_behind` gives the files as a killed process leaves them, as they are after a shutdown in order, and as they were
somewhat earlier; `Revival` opens what has become of them, lets everything go on, and says what happened to each.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import apsw

import litewf
from fuzz.case import MEMORY
from litewf.api.named import workflow_named
from litewf.world import Entropy, World
from tests.stage import NOON, Stage

SUFFIXES = ("", "-wal", "-shm")
OF_EACH = 3
PATIENCE_S, SHORT_S = 20.0, 0.5  # with what must end, and with what may be broken
Files = dict[str, bytes]


def define() -> litewf.Registry:
    """A workflow of each kind."""
    registry = litewf.Registry()
    litewf.Queue("line", registry=registry)

    @registry.step(name="one")
    def one(n: int) -> int:
        return n

    @registry.workflow(name="chain")
    def chain(n: int) -> int:
        return one(n) + one(n) - one(n)

    @registry.workflow(name="waiting")
    def waiting(n: int) -> list[Any]:
        return [one(n), litewf.recv("go")]

    @registry.workflow(name="parent")
    def parent(n: int) -> list[Any]:
        child = litewf.start_workflow(waiting.with_options(workflow_id=f"child-{n}"), n)
        return child.get_result()

    @registry.workflow(name="sleeper")
    async def sleeper(n: int) -> int:
        await litewf.sleep_async(60)
        return n

    @registry.workflow(name="listener")
    def listener(n: int) -> Any:
        return litewf.wait_event("paid", where={"n": n}).data

    @registry.workflow(name="streamer")
    def streamer(n: int) -> int:
        litewf.set_event("state", n)
        litewf.write_stream("out", n)
        litewf.recv("go")
        litewf.close_stream("out")
        return n

    return registry


RESULTS: dict[str, Callable[[int], object]] = {
    "chain": lambda n: n, "waiting": lambda n: [n, "go"], "child": lambda n: [n, "go"], "parent": lambda n: [n, "go"],
    "sleeper": lambda n: n, "listener": lambda n: {"n": n}, "streamer": lambda n: n, "queued": lambda n: n,
}  # fmt: skip
IDS = [f"{kind}-{n}" for kind in RESULTS for n in range(OF_EACH)]


def expected(workflow_id: str) -> object:
    kind, _, n = workflow_id.rpartition("-")
    return RESULTS[kind](int(n))


def fill(stage: Stage, engine: litewf.Engine, n: int) -> None:
    """Start one of each, one after the other, so that the file is nearly the same each time."""
    workflows = {name: workflow_named(stage.registry, name) for name in stage.registry.workflows}
    engine.run_workflow(workflows["chain"].with_options(workflow_id=f"chain-{n}"), n)
    for kind in ("waiting", "parent", "sleeper", "listener", "streamer"):
        handle = engine.start_workflow(workflows[kind].with_options(workflow_id=f"{kind}-{n}"), n)
        stage.parked(handle)
    engine.enqueue("line", workflows["chain"].with_options(workflow_id=f"queued-{n}", delay=60), n)


@dataclass(frozen=True)
class Left:
    """What processes left on the disk."""

    crashed: Files  # everything in the -wal
    copied: Files  # the same, but a part of it was copied into the database meanwhile
    closed: Files
    earlier: Files
    others: Files  # of another file


@cache
def left_behind() -> Left:
    """Made once in a process."""
    crashed, closed, earlier = _lived(seed=1)
    return Left(crashed, _lived(seed=1, copy=True)[0], closed, earlier, _lived(seed=2)[0])


def _lived(seed: int, *, copy: bool = False) -> tuple[Files, Files, Files]:
    folder = Path(tempfile.mkdtemp(prefix="litewf-fuzz-", dir=MEMORY if MEMORY.is_dir() else None))
    try:
        path = folder / "flows.db"
        stage = Stage(path, define())
        with engine_on(stage, seed) as engine:
            earlier = taken(path)
            for n in range(OF_EACH):
                fill(stage, engine, n)
                if copy and n == 1:
                    _checkpoint(path)
            crashed = taken(path)
        return crashed, taken(path), earlier
    finally:
        shutil.rmtree(folder)


def _checkpoint(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.pragma("schema_version")  # before a first read, a checkpoint does nothing
    connection.wal_checkpoint()
    connection.close()


def engine_on(stage: Stage, seed: int) -> litewf.Engine:
    world = World(stage.clock, Entropy(seed), stage._reached)  # noqa: SLF001 - as the tests do
    return stage.engine(world=world, durability="full", application_version="1", max_threads=10)


def taken(path: Path) -> Files:
    """The files as they are now."""
    found = {suffix: path.with_name(path.name + suffix) for suffix in SUFFIXES}
    return {suffix: file.read_bytes() for suffix, file in found.items() if file.exists()}


def put(files: Files, path: Path) -> None:
    for suffix, content in files.items():
        path.with_name(path.name + suffix).write_bytes(content)


class Later(litewf.Clock):
    """Runs, from an hour after the file was left: every sleep and delay in it is over."""

    def __init__(self) -> None:
        self._ahead_us = int(NOON.timestamp() + 3600) * 1_000_000 - int(time.monotonic() * 1_000_000)

    def now_us(self) -> int:
        return self._ahead_us + int(time.monotonic() * 1_000_000)


class Revival:
    """Opens a file and lets everything go on. Whatever is not an error of litewf passes through, as a violation."""

    def __init__(self, path: Path, victims: Collection[str] = IDS) -> None:
        self._victims = victims  # that may never end
        self.refused: litewf.LitewfError | None = None  # why it could not be opened
        self.results: dict[str, object] = {}  # by id: a result, or an error of litewf
        world = World(Later(), Entropy(3), lambda _point: None)
        engine = litewf.Engine(path, registry=define(), world=world, linger=0, application_version="1", max_threads=10)
        try:
            engine.launch()
        except litewf.LitewfError as error:
            self.refused = error
            return
        try:
            self._go_on(engine)
        finally:
            engine.shutdown(timeout=2)

    def _go_on(self, engine: litewf.Engine) -> None:
        for workflow_id in IDS:
            if workflow_id.startswith(("waiting", "child", "streamer")):
                _tried(lambda: engine.send(workflow_id, "go", topic="go"))  # noqa: B023 - called at once
        for n in range(OF_EACH):
            _tried(lambda: engine.publish_event("paid", {"n": n}, id=str(n)))  # noqa: B023 - called at once
        hopeless = False
        for workflow_id in sorted(IDS, key=self._victims.__contains__):
            wait = PATIENCE_S if workflow_id not in self._victims else 0.05 if hopeless else SHORT_S
            result = _outcome(engine, workflow_id, wait)
            hopeless = hopeless or isinstance(result, litewf.WaitTimeoutError)
            self.results[workflow_id] = result
        self._look(engine)

    def _look(self, engine: litewf.Engine) -> None:
        """Everything that shows something."""
        _tried(lambda: engine.list_workflows(load_input=True, load_output=True))
        _tried(engine.list_schedules)
        _tried(engine.list_queues)
        for workflow_id in IDS[:: OF_EACH + 1]:
            _tried(lambda: engine.list_steps(workflow_id))  # noqa: B023 - called at once
            _tried(lambda: engine.get_all_events(workflow_id))  # noqa: B023 - called at once
            _tried(lambda: list(engine.read_stream(workflow_id, "out", follow=False)))  # noqa: B023 - called at once

    def wrong(self) -> list[str]:
        """Workflows that did not come to their result, and how."""
        return [
            f"{workflow_id}: {result!r}"
            for workflow_id, result in self.results.items()
            if result != expected(workflow_id)
        ]


def _outcome(engine: litewf.Engine, workflow_id: str, wait: float) -> object:
    """A result, an error of litewf, or the error that the workflow has ended with."""
    try:
        return engine.retrieve_workflow(workflow_id).get_result(timeout=wait)
    except litewf.LitewfError as error:
        return error
    except Exception as error:
        status = _tried(engine.retrieve_workflow(workflow_id).get_status)
        if isinstance(status, litewf.WorkflowStatus) and status.status != "ERROR":
            raise
        return error


def _tried(call: Callable[[], object]) -> object:
    """What a call gives, or the error of litewf that it raises."""
    try:
        return call()
    except litewf.LitewfError as error:
        return error
