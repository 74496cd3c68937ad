"""Streams: F1 to F4 when the writer, the reader or both die at any commit."""

import asyncio
from typing import Any

import litewf
from tests.crash.explorer import Drive
from tests.crash.life import Life
from tests.crash.scenarios.writing import DAY_S, driven, scenario


def _look(life: Life, engine: litewf.Engine, key: str = "k") -> list[Any]:
    """What is in the stream now; what was seen once stays at its offset (F1, F2, A4)."""
    items = list(engine.read_stream_items("w", key, follow=False))
    for at, item in enumerate(items):
        if item.offset != at:
            life.ledger.fail(f"F1 offset {item.offset} at place {at}")
        life.ledger.note("w", f"{key}[{at}]", (item.value, item.attempt))
    return items


def _watched(life: Life, workflow: Any, expect: list[Any]) -> Drive:
    """Run a writer; look at its stream in every life and at the end."""

    def drive(engine: litewf.Engine) -> None:
        handle = life.start(workflow, "w")
        _look(life, engine)
        life.settle()
        handle.get_result(timeout=0)
        recorded = [item.value for item in _look(life, engine) if item.recorded]
        assert recorded == expect, f"F1, F4 {recorded} instead of {expect}"
        assert list(engine.read_stream("w", "k", recorded_only=True)) == expect

    return drive


@scenario(linger=0)
def a_workflow_writes_a_stream_and_parks(life: Life) -> Drive:
    @life.step
    def work(n: int) -> int:
        return n

    @life.workflow
    def main() -> None:
        for n in range(3):
            litewf.write_stream("k", work(n))
            litewf.sleep(60)
        litewf.close_stream("k")
        try:
            litewf.write_stream("k", "after the close")
        except litewf.StreamClosedError as error:
            life.note("the refusal", str(error))
        else:
            life.ledger.fail("F3 a value was written after the close")

    return _watched(life, main, [0, 1, 2])


@scenario()
def steps_write_a_stream_at_each_attempt(life: Life) -> Drive:
    @life.step(max_retries=1, base_interval=5)
    def twice(name: str) -> str:
        litewf.write_stream("k", f"{name} {litewf.attempt()}")
        if litewf.attempt() == 1:
            raise ValueError(name)
        litewf.write_stream("k", f"{name} done")
        return name

    @life.step
    def once(name: str) -> str:
        litewf.write_stream("k", name)
        return name

    @life.workflow
    def main() -> None:
        once("a")
        twice("b")
        litewf.write_stream("k", "c")

    return _watched(life, main, ["a", "b 2", "b done", "c"])


@scenario()
def branches_write_one_stream(life: Life) -> Drive:
    @life.step
    async def work(name: str) -> str:
        await litewf.write_stream_async("k", f"{name} step")
        return name

    @life.workflow
    async def main() -> None:
        async def branch(name: str) -> None:
            await litewf.write_stream_async("k", f"{name} 1")
            await work(name)
            await litewf.write_stream_async("k", f"{name} 2")

        await asyncio.gather(branch("a"), branch("b"))

    def drive(engine: litewf.Engine) -> None:
        life.start(main, "w")
        _look(life, engine)
        life.settle()
        _look(life, engine)
        recorded = list(engine.read_stream("w", "k", recorded_only=True))
        for name in "ab":
            mine = [value for value in recorded if value.startswith(name)]
            assert mine == [f"{name} 1", f"{name} step", f"{name} 2"], f"F1 {recorded}"
        assert len(recorded) == 6, f"F1 {recorded}"

    return drive


def _reader_and_writer(life: Life, pause_s: float) -> Any:
    @life.workflow
    def writer() -> None:
        for n in range(3):
            litewf.write_stream("k", n)
            litewf.sleep(pause_s)
        litewf.close_stream("k")
        litewf.sleep(pause_s)

    @life.workflow
    def main() -> list[int]:
        handle = litewf.start_workflow(writer.with_options(workflow_id="writer"))
        seen = []
        for item in litewf.read_stream_items("writer", "k"):
            life.note(f"read {item.offset}", item.value) if item.offset == 0 else None
            seen.append(item.value)
        handle.get_result()
        return seen

    return main


@scenario(linger=0)
def a_parked_reader_follows_a_parked_writer(life: Life) -> Drive:
    """F2, E5, E7: what was read is recorded, a page at a time, and no write is missed."""
    return driven(life, _reader_and_writer(life, DAY_S), expect=[0, 1, 2])


@scenario(linger=None)
def a_reader_follows_a_writer_in_memory(life: Life) -> Drive:
    return driven(life, _reader_and_writer(life, 60), expect=[0, 1, 2])


@scenario(linger=0)
def a_reader_of_recorded_values_follows_a_step(life: Life) -> Drive:
    """F4: it waits until it is known what is on record."""

    @life.step(max_retries=1, base_interval=5)
    def attempts(name: str) -> str:
        litewf.write_stream("k", f"{name} {litewf.attempt()}")
        if litewf.attempt() == 1:
            raise ValueError(name)
        return name

    @life.workflow
    def writer() -> None:
        attempts("a")
        attempts("b")

    @life.workflow
    def main() -> list[str]:
        litewf.start_workflow(writer.with_options(workflow_id="writer"))
        return list(litewf.read_stream("writer", "k", recorded_only=True))

    return driven(life, main, expect=["a 2", "b 2"])


@scenario(linger=0)
def a_stream_goes_on_in_the_next_generation(life: Life) -> Drive:
    @life.workflow
    def main(left: int = 2) -> None:
        litewf.write_stream("k", left)
        if left:
            litewf.continue_as_new(left - 1)

    return _watched(life, main, [2, 1, 0])


@scenario(linger=0, downtime_s=(0.0,), resumable=frozenset({"w"}))
def a_rewound_writer_writes_the_rest_once_more(life: Life) -> Drive:
    """F1: what later steps wrote is gone, the offsets go on without a gap; all of it in one commit."""

    @life.workflow
    def main() -> None:
        for n in range(3):
            litewf.write_stream("k", n)
        litewf.sleep(60)

    def drive(engine: litewf.Engine) -> None:
        life.start(main, "w")
        life.settle()
        life.ledger.acknowledge("rewound", lambda: engine.rewind_workflow("w", 2))
        found = list(engine.read_stream_items("w", "k", follow=False))
        assert [(one.offset, one.value) for one in found] == [(n, n) for n in range(len(found))], found
        life.settle()
        assert [(one.offset, one.value) for one in engine.read_stream_items("w", "k")] == [(n, n) for n in range(3)]

    return drive
