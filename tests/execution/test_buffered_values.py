"""Values that a commit of another branch carries: durable before the next body, written once, lost by no failure."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest

import litewf
from litewf.engine.execution import Execution
from litewf.engine.recording import flush, promised
from litewf.engine.requests import Flushed
from litewf.engine.signals import Unwind
from litewf.errors import OutcomeUnknownError
from litewf.store.checkpoints import SETTLE, Checkpoint, Promise, Promising, SettledRow
from litewf.store.wide import Value, Wide

Launch = Callable[..., litewf.Engine]
FEW, MANY = 200, 400


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many records each statement that settles steps was given."""
    sizes: list[int] = []
    run = Wide.run

    def count(self: Wide, connection: Any, values: Any) -> int:
        if self is SETTLE:
            sizes.append(len(values) // SETTLE.width)
        return run(self, connection, values)

    monkeypatch.setattr(Wide, "run", count)
    yield sizes


def branching(registry: litewf.Registry, before: Callable[[], Any], after: Callable[[int], Any]) -> Any:
    """A workflow of many branches, each of which buffers a value and goes on."""

    @registry.workflow
    async def flow(count: int) -> int:
        async def branch(at: int) -> Any:
            before()
            return await after(at)

        return len(await asyncio.gather(*(branch(at) for at in range(count))))

    return flow


def records_written(engine: litewf.Engine, flow: Any, count: int, written: list[int]) -> int:
    written.clear()
    assert engine.run_workflow(flow, count) == count
    return sum(written)


@pytest.mark.parametrize("call", ["a step", "a sleep", "a message", "a stream", "a step after a sleep"])
def test_many_branches_that_buffer_a_value_write_each_record_once(
    launch: Launch, registry: litewf.Registry, written: list[int], call: str
) -> None:
    @registry.step
    async def step(at: int) -> int:
        return at

    async def rested(at: int) -> int:
        await litewf.sleep_async(60)
        return await step(at)

    calls: dict[str, Callable[[int], Any]] = {
        "a step": step,
        "a sleep": lambda _: litewf.sleep_async(60),
        "a message": lambda at: litewf.send_async("receiver", at, "topic"),
        "a stream": lambda at: litewf.write_stream_async("stream", at),
        "a step after a sleep": rested,
    }

    @registry.workflow
    async def receiver() -> None:
        return None

    flow = branching(registry, litewf.now, calls[call])
    engine = launch(linger=60)
    engine.start_workflow(receiver.with_options(workflow_id="receiver"))
    few = records_written(engine, flow, FEW, written)
    many = records_written(engine, flow, MANY, written)
    assert FEW <= few <= 4 * FEW
    assert many < 2.2 * few


def test_a_body_sees_in_the_file_whatever_any_branch_has_seen_before_it_started(
    launch: Launch, registry: litewf.Registry
) -> None:
    seen: list[str] = []

    @registry.step
    async def look(known: Sequence[str]) -> list[str]:
        records = await asyncio.to_thread(engine.list_steps, litewf.workflow_id())
        values = {str(record.output) for record in records}
        return [value for value in known if value not in values]

    @registry.workflow
    async def flow() -> list[list[str]]:
        async def branch() -> list[str]:
            missing = []
            for _ in range(3):
                seen.append(str(litewf.uuid()))
                missing += await look(list(seen))
            return missing

        return await asyncio.gather(*(branch() for _ in range(5)))

    engine = launch()
    assert engine.run_workflow(flow) == [[]] * 5


# --- one flow at a time, without a file -----------------------------------------------------------------------------


@pytest.fixture
def execution() -> Execution:
    """An execution that asks nothing of its engine but to write."""
    return Execution(cast("Any", Stage()), cast("Any", Stage()), (1, "w", 1, 1), (), {})


class Stage:
    """What an execution needs here of an engine, its notifier, and a definition."""

    name = "flow"

    @property
    def notifier(self) -> Stage:
        return self

    def stopping(self, _execution: Execution) -> None:
        """Nobody is to be told."""

    def wake(self, _waits: object) -> None:
        """Nobody waits."""


def saw(execution: Execution, number: str) -> SettledRow:
    row: SettledRow = (1, 1, number, "litewf.now", "1", None, 1, 0, 0)
    execution.buffer(row)
    return row


def values_of(request: object) -> tuple[Value, ...]:
    assert isinstance(request, Checkpoint)
    return request.values


def test_a_branch_waits_for_the_commit_that_carries_its_value_and_writes_nothing(execution: Execution) -> None:
    first, second, third = flush(execution), flush(execution), flush(execution)
    mine = saw(execution, "1.1")
    assert values_of(next(first)) == mine
    theirs = (*saw(execution, "2.1"), *saw(execution, "3.1"))
    assert isinstance(next(second), Flushed)
    assert isinstance(next(third), Flushed)
    with pytest.raises(StopIteration):
        first.send(True)
    assert values_of(second.send(None)) == theirs
    assert isinstance(third.send(None), Flushed)  # what it waits for is on its way again
    with pytest.raises(StopIteration):
        second.send(True)
    with pytest.raises(StopIteration):
        third.send(None)
    assert execution.is_plain()


def test_a_branch_does_not_wait_for_what_was_seen_after_it_asked(execution: Execution) -> None:
    first, second = flush(execution), flush(execution)
    saw(execution, "1.1")
    next(first)
    next(second)
    with pytest.raises(StopIteration):
        first.send(True)
    saw(execution, "3.1")
    next(flush(execution))
    with pytest.raises(StopIteration):
        second.send(None)


@pytest.mark.parametrize("failure", [asyncio.CancelledError(), GeneratorExit(), ZeroDivisionError()])
def test_what_a_failed_commit_carried_is_carried_by_whoever_waited(
    execution: Execution, failure: BaseException
) -> None:
    first = flush(execution)
    one = saw(execution, "1.1")
    next(first)
    two = saw(execution, "2.1")
    second = promised(execution, [Promise("2.2", "litewf.sleep", 0, 60)])
    assert isinstance(next(second), Flushed)
    with pytest.raises(type(failure)):
        first.throw(failure)
    promising = second.send(None)
    assert isinstance(promising, Promising)
    assert list(promising.rows) == [one, two]


def test_what_a_commit_of_unknown_outcome_carried_is_not_taken_for_written(execution: Execution) -> None:
    one = saw(execution, "1.1")
    first = promised(execution, [Promise("1.2", "litewf.sleep", 0, 60)])
    next(first)
    with pytest.raises(Unwind, match="store"):
        first.throw(OutcomeUnknownError("the commit raised"))
    assert list(execution.unwritten) == [one]
    assert not execution.is_plain()


def test_who_writes_the_end_writes_what_others_may_be_writing_now(execution: Execution) -> None:
    one = saw(execution, "1.1")
    next(flow := flush(execution))
    two = saw(execution, "2.1")
    assert list(execution.unwritten) == [one, two]
    flow.close()
