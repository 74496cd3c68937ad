"""Wrong calls of streams and CloudEvents: refused before anything is written, and before they take a number."""

import asyncio
import contextlib

import pytest

import litewf
from tests.stage import Stage

NAMES = {
    "empty": ("", ValueError),
    "a blank": (" ", ValueError),
    "a blank at the end": ("a ", ValueError),
    "a megabyte": ("x" * 1_000_000, ValueError),
    "a NUL": ("a\0b", ValueError),
    "a newline": ("a\nb", ValueError),
    "a lone surrogate": ("a\ud800", ValueError),
    "a bidi mark": ("a\u202eb", ValueError),
    "a number": (7, TypeError),
    "bytes": (b"a", TypeError),
    "None": (None, TypeError),
}
CALLS = {
    "write_stream": lambda wrong: litewf.write_stream(wrong, 1),
    "close_stream": litewf.close_stream,
    "read_stream": lambda wrong: next(litewf.read_stream("w", wrong, follow=False)),
    "publish type": lambda wrong: litewf.publish_event(wrong, 1),
    "publish source": lambda wrong: litewf.publish_event("t", 1, source=wrong),
    "publish subject": lambda wrong: wrong is None or litewf.publish_event("t", 1, subject=wrong),
    "publish id": lambda wrong: wrong is None or wrong == "" or litewf.publish_event("t", 1, id=wrong),
    "wait type": lambda wrong: litewf.wait_event(wrong, timeout=0, default=None),
    "wait source": lambda wrong: wrong is None or litewf.wait_event("t", source=wrong, timeout=0, default=None),
    "wait subject": lambda wrong: wrong is None or litewf.wait_event("t", subject=wrong, timeout=0, default=None),
}
OPTIONS = {
    "offset below 0": (ValueError, lambda: litewf.read_stream("w", "k", offset=-1)),
    "offset beyond all": (ValueError, lambda: litewf.read_stream("w", "k", offset=2**63)),
    "offset a text": (TypeError, lambda: litewf.read_stream("w", "k", offset="1")),
    "offset a bool": (TypeError, lambda: litewf.read_stream("w", "k", offset=True)),
    "offset a float": (TypeError, lambda: litewf.read_stream("w", "k", offset=1.0)),
    "stream timeout below 0": (ValueError, lambda: litewf.read_stream("w", "k", timeout=-1)),
    "stream timeout NaN": (ValueError, lambda: litewf.read_stream("w", "k", timeout=float("nan"))),
    "stream as_type no type": (TypeError, lambda: litewf.read_stream("w", "k", as_type=7)),
    "stream of no workflow": (TypeError, lambda: litewf.read_stream(7, "k")),
    "wait timeout a text": (TypeError, lambda: litewf.wait_event("t", timeout="5")),
    "wait timeout a bool": (TypeError, lambda: litewf.wait_event("t", timeout=True)),
    "wait timeout below 0": (ValueError, lambda: litewf.wait_event("t", timeout=-1e-9)),
    "wait timeout infinite": (ValueError, lambda: litewf.wait_event("t", timeout=float("inf"))),
    "wait as_type no type": (TypeError, lambda: litewf.wait_event("t", as_type=7)),
    "wait delivery": (ValueError, lambda: litewf.wait_event("t", delivery="some")),
    "where a list": (TypeError, lambda: litewf.wait_event("t", where=["a"])),
    "where a huge number": (ValueError, lambda: litewf.wait_event("t", where={"a": 10**5000})),
    "where a surrogate": (ValueError, lambda: litewf.wait_event("t", where={"\ud800": 1})),
    "data not recordable": (litewf.SerializationError, lambda: litewf.publish_event("t", [object()])),
    "data a cycle": (litewf.SerializationError, lambda: litewf.publish_event("t", cycle())),
    "value not recordable": (litewf.SerializationError, lambda: litewf.write_stream("k", iter([]))),
}


def cycle():
    data = []
    data.append(data)
    return data


@pytest.mark.parametrize("call", CALLS)
def test_a_name_that_is_none_is_refused_before_anything_is_written(stage: Stage, registry, call):
    @registry.workflow
    def main():
        for wrong, error in NAMES.values():
            outcome = None
            with contextlib.suppress(error):
                outcome = CALLS[call](wrong)
                assert outcome is True, f"{call} accepted {wrong!r:.50}"

    with stage.engine() as engine:
        engine.start_workflow(main.with_options(workflow_id="w")).get_result(timeout=20)
        assert engine.list_steps("w") == []
        assert engine.query("SELECT (SELECT count(*) FROM stream) + (SELECT count(*) FROM cloud_event)") == [(0,)]


@pytest.mark.parametrize("option", OPTIONS)
def test_a_wrong_argument_is_refused_before_anything_is_written(stage: Stage, registry, option):
    error, call = OPTIONS[option]

    @registry.workflow
    def main():
        with pytest.raises(error):
            call()
        litewf.write_stream("right", 1)

    with stage.engine() as engine:
        engine.start_workflow(main.with_options(workflow_id="w")).get_result(timeout=20)
        assert [step.step_id for step in engine.list_steps("w")] == ["1"]


def test_streams_are_written_and_events_awaited_in_workflows_only(stage: Stage):
    with stage.engine() as engine:
        for call in (
            lambda: litewf.write_stream("k", 1),
            lambda: litewf.close_stream("k"),
            lambda: litewf.read_stream("w", "k"),
            lambda: litewf.wait_event("t"),
            lambda: litewf.publish_event("t", 1),
            lambda: litewf.write_stream_async("k", 1),
            lambda: litewf.wait_event_async("t"),
            lambda: litewf.publish_event_async("t", 1),
        ):
            with pytest.raises(litewf.NotInWorkflowError):
                call()
        assert engine.query("SELECT count(*) FROM cloud_event") == [(0,)]


def test_blocking_forms_on_a_loop_are_refused_and_name_the_async_form(stage: Stage, registry):
    @registry.workflow
    async def main():
        for name, call in {
            "write_stream": lambda: litewf.write_stream("k", 1),
            "close_stream": lambda: litewf.close_stream("k"),
            "wait_event": lambda: litewf.wait_event("t"),
            "publish_event": lambda: litewf.publish_event("t", 1),
            "read_stream": lambda: next(litewf.read_stream("w", "k", follow=False)),
        }.items():
            with pytest.raises(litewf.BlockingCallError, match=f"{name}_async"):
                call()

    async def outside(engine):
        with pytest.raises(litewf.BlockingCallError, match="publish_event_async"):
            engine.publish_event("t", 1)
        with pytest.raises(litewf.BlockingCallError, match="read_stream_async"):
            engine.read_stream("w", "k")

    with stage.engine() as engine:
        engine.start_workflow(main.with_options(workflow_id="w")).get_result(timeout=20)
        assert engine.list_steps("w") == []
        asyncio.run(outside(engine))


def test_async_forms_in_a_sync_workflow_are_refused(stage: Stage, registry):
    @registry.workflow
    def main():
        for call in (
            lambda: litewf.write_stream_async("k", 1),
            lambda: litewf.wait_event_async("t"),
            lambda: litewf.publish_event_async("t", 1),
        ):
            with pytest.raises(litewf.UsageError, match="sync"):
                call()

    with stage.engine() as engine:
        engine.start_workflow(main.with_options(workflow_id="w")).get_result(timeout=20)
        assert engine.list_steps("w") == []


def test_another_engine_in_a_workflow_is_refused(stage: Stage, registry, tmp_path):
    with stage.engine() as engine, litewf.Engine(tmp_path / "other.db", registry=litewf.Registry()) as other:

        @registry.workflow
        def main():
            with pytest.raises(litewf.UsageError, match="run_step"):
                other.publish_event("t", 1)
            with pytest.raises(litewf.UsageError, match="run_step"):
                next(other.read_stream("w", "k"))
            return engine.publish_event("t", 1)

        assert engine.start_workflow(main.with_options(workflow_id="w")).get_result(timeout=20) is True
        assert [step.name for step in engine.list_steps("w")] == ["litewf.publish_event"]


def test_calls_on_a_closed_engine_are_refused(stage: Stage):
    with stage.engine() as engine:
        pass
    for call in (lambda: engine.publish_event("t", 1), lambda: next(engine.read_stream("w", "k"))):
        with pytest.raises(litewf.EngineClosedError):
            call()


def test_deep_and_wide_data_is_published_and_found(stage: Stage, registry):
    """A path of 100 keys, 20,000 leaves; nothing of it makes the engine stumble."""
    deep = "leaf"
    for _ in range(99):
        deep = {"k": deep}

    @registry.workflow
    def main():
        first = litewf.wait_event("deep", where={".".join(["k"] * 99): "leaf"})
        second = litewf.wait_event("wide", where={"19999": 19_999})
        return first.id, second.id

    with stage.engine() as engine, stage.engine(registry=litewf.Registry()) as other:
        handle = engine.start_workflow(main)
        stage.parked(handle)
        other.publish_event("deep", deep, id="d")
        other.publish_event("wide", list(range(20_000)), id="w")
        assert handle.get_result(timeout=20) == ("d", "w")
