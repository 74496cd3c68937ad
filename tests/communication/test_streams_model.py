"""Streams against a plain list, under virtual time: whatever happens in whatever order, F1 to F4 hold."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import litewf
from tests.stage import Stage

FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

writes = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 9) | st.none() | st.text(max_size=3)), max_size=12
)
actions = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from("ab"), st.integers(0, 99)),
        st.tuples(st.just("close"), st.sampled_from("ab"), st.just(0)),
        st.tuples(st.just("step"), st.sampled_from("ab"), st.integers(1, 3)),  # the attempt that succeeds
        st.tuples(st.just("sleep"), st.just(""), st.just(0)),
        st.tuples(st.just("again"), st.just(""), st.just(0)),
    ),
    max_size=12,
)


class Model:
    """What the streams of one workflow must hold."""

    def __init__(self):
        self.items = {"a": [], "b": []}  # (value, attempt, recorded)
        self.closed = set()
        self.refused = 0

    def write(self, key, value, attempt=1, *, recorded=True):
        if key in self.closed:
            self.refused += 1
            return False
        self.items[key].append((value, attempt, recorded))
        return True

    def play(self, actions):
        for kind, key, value in actions:
            if kind == "write":
                self.write(key, value)
            elif kind == "close":
                self.closed.add(key)
            elif kind == "step":
                for attempt in range(1, value + 1):
                    self.write(key, f"try {attempt}", attempt, recorded=attempt == value)
        return self


def define(registry):
    @registry.step(max_retries=2, base_interval=5)
    def attempts(key, succeeds_at):
        refused = 0
        try:
            litewf.write_stream(key, f"try {litewf.attempt()}")
        except litewf.StreamClosedError:
            refused = 1
        if litewf.attempt() < succeeds_at:
            raise ValueError(refused)
        return refused

    @registry.workflow
    def play(actions, refused):
        for at, (kind, key, value) in enumerate(actions):
            if kind == "write":
                try:
                    litewf.write_stream(key, value)
                except litewf.StreamClosedError:
                    refused += 1
            elif kind == "close":
                litewf.close_stream(key)
            elif kind == "step":
                refused += attempts(key, value)
            elif kind == "sleep":
                litewf.sleep(60)
            else:
                litewf.continue_as_new(actions[at + 1 :], refused)
        return refused

    return play


@FEW
@given(actions=actions)
def test_a_stream_is_the_list_of_what_was_written_before_its_close_f1_f3_f4(actions):
    """Steps that fail and are attempted again, parking, new generations: the offsets have no gap, nothing is doubled."""
    model = Model().play(actions)
    with tempfile.TemporaryDirectory() as folder:
        registry = litewf.Registry()
        play = define(registry)
        stage = Stage(Path(folder) / "flows.db", registry)
        with stage.engine() as engine:
            handle = engine.start_workflow(play.with_options(workflow_id="w"), actions, 0)
            while handle.get_result(timeout=0, default="goes on") == "goes on":
                stage.until(lambda: handle.get_status().completed_at or handle.get_status().waiting_on)
                stage.clock.move(60)
            for key in "ab":
                items = list(engine.read_stream_items("w", key))
                assert [(one.value, one.attempt, one.recorded) for one in items] == model.items[key]
                assert [one.offset for one in items] == list(range(len(items)))
                expected = [value for value, _, recorded in model.items[key] if recorded]
                assert list(engine.read_stream("w", key, recorded_only=True)) == expected
                for offset in range(len(items) + 2):  # F2
                    assert list(engine.read_stream_items("w", key, offset=offset)) == items[offset:]
                    assert list(engine.read_stream_items("w", key, offset=offset, follow=False)) == items[offset:]


@FEW
@given(writes=writes, rewind_at=st.integers(1, 13), fork_at=st.integers(1, 13))
def test_rewind_and_fork_keep_exactly_the_values_of_earlier_steps(writes, rewind_at, fork_at):
    """F1: the copies and what is left have offsets without a gap; a rewound workflow writes the rest once more."""
    with tempfile.TemporaryDirectory() as folder:
        registry = litewf.Registry()
        turns = {"word": "first"}

        @registry.workflow
        def write():
            for key, value in writes:
                litewf.write_stream(key, [turns["word"], value])

        def expected(key, until, word, start=0):
            return [
                [word if at >= until else "first", value]
                for at, (name, value) in enumerate(writes)
                if name == key and at >= start
            ]

        with Stage(Path(folder) / "flows.db", registry).engine() as engine:
            engine.run_workflow(write.with_options(workflow_id="w"))
            turns["word"] = "second"
            last = len(writes) + 1
            forked = engine.fork_workflow("w", min(fork_at, last))
            forked.get_result()
            engine.rewind_workflow("w", min(rewind_at, last)).get_result()
            for workflow_id, cut in (("w", rewind_at), (forked.workflow_id, fork_at)):
                for key in "ab":
                    items = list(engine.read_stream_items(workflow_id, key))
                    assert [one.value for one in items] == expected(key, min(cut, last) - 1, "second")
                    assert [one.offset for one in items] == list(range(len(items)))


@FEW
@given(
    branches=st.lists(st.lists(st.sampled_from(["write", "step", "yield"]), max_size=5), min_size=2, max_size=5),
    crash=st.booleans(),
)
def test_branches_that_write_to_one_stream_get_gapless_offsets_and_keep_their_own_order_f1(branches, crash):
    import asyncio

    with tempfile.TemporaryDirectory() as folder:
        registry = litewf.Registry()

        @registry.step
        async def inside(value):
            await litewf.write_stream_async("k", value)

        @registry.workflow
        async def main():
            async def branch(name, acts):
                for at, act in enumerate(acts):
                    if act == "write":
                        await litewf.write_stream_async("k", [name, at])
                    elif act == "step":
                        await inside([name, at])
                    else:
                        await litewf.sleep_async(0.001)

            await asyncio.gather(*(branch(name, acts) for name, acts in enumerate(branches)))

        stage = Stage(Path(folder) / "flows.db", registry)
        with stage.engine() as engine:
            handle = engine.start_workflow(main.with_options(workflow_id="w"))
            if not crash:
                while handle.get_result(timeout=0, default="goes on") == "goes on":
                    stage.until(lambda: handle.get_status().completed_at or handle.get_status().waiting_on)
                    stage.clock.move(1)
        stage.clock.move(60)
        with stage.engine() as engine:
            handle = engine.retrieve_workflow("w")
            while handle.get_result(timeout=0, default="goes on") == "goes on":
                stage.until(lambda: handle.get_status().completed_at or handle.get_status().waiting_on)
                stage.clock.move(1)
            items = list(engine.read_stream_items("w", "k", recorded_only=True))
            every = list(engine.read_stream_items("w", "k"))
            assert [one.offset for one in every] == list(range(len(every)))
            for name, acts in enumerate(branches):
                mine = [one.value[1] for one in items if one.value[0] == name]
                assert mine == [at for at, act in enumerate(acts) if act != "yield"]


@pytest.mark.parametrize("recorded_only", [False, True])
@FEW
@given(pages=st.lists(st.integers(0, 130), min_size=1, max_size=3), start=st.integers(0, 260))
def test_pages_of_any_length_read_the_same_inside_and_outside_f2(recorded_only, pages, start):
    """Attempts that are not on record may fill whole pages."""
    with tempfile.TemporaryDirectory() as folder:
        registry = litewf.Registry()

        @registry.step(max_retries=9, base_interval=0)
        def write():
            for n in range(pages[litewf.attempt() - 1]):
                litewf.write_stream("k", [litewf.attempt(), n])
            if litewf.attempt() < len(pages):
                raise ValueError

        @registry.workflow
        def writer():
            write()

        @registry.workflow
        def reader(follow):
            return list(litewf.read_stream_items("w", "k", offset=start, follow=follow, recorded_only=recorded_only))

        written = [[attempt, n] for attempt, count in enumerate(pages, 1) for n in range(count)]
        expected = [
            litewf.StreamItem(at, value, value[0], value[0] == len(pages))
            for at, value in enumerate(written)
            if at >= start and (value[0] == len(pages) or not recorded_only)
        ]
        with Stage(Path(folder) / "flows.db", registry).engine() as engine:
            engine.run_workflow(writer.with_options(workflow_id="w"))
            for follow in (False, True):
                read = engine.read_stream_items("w", "k", offset=start, follow=follow, recorded_only=recorded_only)
                assert list(read) == expected
                assert engine.run_workflow(reader, follow) == expected
