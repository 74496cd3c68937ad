"""Streams when the history of their workflow is cut, copied, emptied or deleted."""

import asyncio

import pytest

import litewf
from tests.communication.acting import start
from tests.stage import Stage


def read(engine, workflow_id, key="k", **options):
    return [(item.offset, item.value) for item in engine.read_stream_items(workflow_id, key, follow=False, **options)]


def test_a_new_generation_goes_on_at_the_next_offset_and_a_closed_stream_stays_closed(stage: Stage, registry):
    @registry.workflow
    def writer(left):
        litewf.write_stream("k", left)
        if left == 2:
            litewf.close_stream("early")
        if left:
            litewf.continue_as_new(left - 1)
        with pytest.raises(litewf.StreamClosedError):
            litewf.write_stream("early", 1)

    with stage.engine() as engine:
        handle = start(engine, writer, "w", 2)
        assert list(engine.read_stream_items("w", "k")) == [
            litewf.StreamItem(offset, 2 - offset, 1, recorded=True) for offset in range(3)
        ]
        handle.get_result()


def test_rewind_drops_what_later_steps_wrote_and_closes_the_gaps_f1(stage: Stage, registry):
    """Branch 2 wrote between the values of branch 1; its values go, and so does the close."""
    turns = []

    @registry.workflow
    async def writer():
        turn = len(turns)
        turns.append(turn)
        first_written, second_written = asyncio.Event(), asyncio.Event()

        async def first():
            await litewf.write_stream_async("k", "first 1")
            first_written.set()
            await second_written.wait()
            await litewf.write_stream_async("k", "first 2")

        async def second():
            await first_written.wait()
            await litewf.write_stream_async("k", f"second, turn {turn}")
            second_written.set()

        if turn == 0:
            await asyncio.gather(first(), second())
        else:
            second_written.set()
            await asyncio.gather(first(), second())
        await litewf.close_stream_async("k")

    with stage.engine() as engine:
        handle = start(engine, writer, "w")
        handle.get_result()
        assert read(engine, "w") == [(0, "first 1"), (1, "second, turn 0"), (2, "first 2")]
        engine.rewind_workflow("w", 2).get_result()
        assert read(engine, "w") == [(0, "first 1"), (1, "first 2"), (2, "second, turn 1")]


def test_deleting_a_workflow_deletes_its_streams(stage: Stage, registry):
    @registry.workflow
    def writer():
        litewf.write_stream("k", 1)

    with stage.engine() as engine:
        start(engine, writer, "gone").get_result()
        start(engine, writer, "pruned").get_result()
        engine.delete_workflow("gone")
        stage.clock.move(60)
        assert engine.prune(older_than=30) == 1
        assert engine.query("SELECT count(*) FROM stream") == [(0,)]
        for workflow_id in ("gone", "pruned"):
            with pytest.raises(litewf.WorkflowNotFoundError, match=workflow_id):
                next(engine.read_stream(workflow_id, "k"))
