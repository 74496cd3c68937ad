"""What a replay check says of code that changed: where it parts with the records, whether a patch is missing, what to do."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import litewf
from litewf.serialization import JsonSerializer, Serializer, TypeTable
from litewf.testing import assert_replays
from tests.replay.runs import FOREVER, Runs
from tests.sealed import SealedSerializer


def before(runs: Runs) -> Callable[[Any], Any]:
    def body(do: Any) -> Any:
        yield from runs.call("a", "b")
        yield do.sleep(FOREVER)

    return body


def test_the_message_names_the_step_what_is_recorded_and_what_the_code_calls_now(runs: Runs) -> None:
    def after(do: Any) -> Any:
        yield from runs.call("a", "c")
        yield do.sleep(FOREVER)

    history = runs.export(before(runs))
    assert_replays(history, runs.workflow(before(runs)))
    with pytest.raises(AssertionError) as failure:
        assert_replays(history, runs.workflow(after))
    message = str(failure.value)
    assert f"workflow {history.workflow_id!r} (flow) does not replay" in message
    assert "step 2 is recorded as 'b', but the code now calls 'c'" in message
    assert "litewf.patch(" in message


def test_no_step_runs_and_nothing_is_written(runs: Runs, path: Path) -> None:
    history = runs.export(before(runs))
    image, threads = path.read_bytes(), threading.active_count()
    assert runs.check(history, before(runs)).matches
    assert runs.check(replace(history, steps=history.steps[:1]), before(runs)).reason == "it goes on at step 2 (b)"
    assert runs.bodies == []
    assert path.read_bytes() == image
    assert threading.active_count() <= threads


def test_a_change_behind_a_patch_replays(runs: Runs) -> None:
    def patched(do: Any) -> Any:
        if litewf.patch("new first"):
            yield from runs.call("new")
        yield from runs.call("a", "b")
        yield do.sleep(FOREVER)

    history = runs.export(before(runs))
    assert runs.check(history, patched).matches
    assert runs.check(runs.export(patched), patched).matches


def test_a_patch_that_was_deprecated_too_early_is_named(runs: Runs) -> None:
    def deprecated(do: Any) -> Any:
        litewf.deprecate_patch("new first")
        yield from runs.call("new", "a", "b")

    found = runs.check(runs.export(before(runs)), deprecated)
    assert (found.verdict, found.step) == ("diverges", "1")
    assert "litewf.patch('new first')" in found.advice


@pytest.mark.parametrize("codec", [JsonSerializer, SealedSerializer])
def test_a_patch_that_was_removed_while_a_run_takes_its_old_way_is_named(
    runs: Runs, codec: Callable[[TypeTable], Serializer]
) -> None:
    serializer = codec(TypeTable())

    def patched(do: Any) -> Any:
        yield from runs.call("a")
        yield from runs.call("new" if litewf.patch("p") else "b")
        yield do.sleep(FOREVER)

    def removed(do: Any) -> Any:
        yield from runs.call("a", "new")
        yield do.sleep(FOREVER)

    def astray(do: Any) -> Any:
        yield from runs.call("a", "other")
        yield do.sleep(FOREVER)

    new_way = runs.export(patched, serializer=serializer)
    assert runs.check(new_way, removed, serializer).matches
    assert "old way" not in runs.check(new_way, astray, serializer).advice
    decision = next(row for row in new_way.steps if row.name == "litewf.patch")
    old_way = tuple(
        {"litewf.patch": row._replace(output=serializer.encode(False)[0]), "new": row._replace(name="b")}.get(
            row.name, row
        )
        for row in new_way.steps
    )
    assert decision.step == "2:p"
    found = runs.check(replace(new_way, steps=old_way), removed, serializer)
    assert (found.verdict, found.step) == ("diverges", "2")
    assert "takes the old way of litewf.patch('p')" in found.advice


def test_a_finished_run_finds_a_call_that_was_added_at_its_end(runs: Runs) -> None:
    def short(do: Any) -> Any:
        yield from runs.call("a")

    def longer(do: Any) -> Any:
        yield from runs.call("a", "b")

    def patched(do: Any) -> Any:
        yield from runs.call("a")
        if litewf.patch("p"):
            yield from runs.call("b")

    def timed(do: Any) -> Any:
        yield from runs.call("a")
        litewf.now()

    history = runs.export(short)
    assert runs.check(history, patched).matches
    for changed, name in ((longer, "b"), (timed, "litewf.now")):
        found = runs.check(history, changed)
        assert (found.verdict, found.step, found.called) == ("diverges", "2", name)
        assert "the run ended without step 2" in found.reason


def test_a_finished_run_finds_another_end(runs: Runs) -> None:
    def fine(do: Any) -> Any:
        yield from runs.call("a")

    def broken(do: Any) -> Any:
        yield from runs.call("a")
        raise ValueError("new bug")

    def endless(do: Any) -> Any:
        yield from runs.call("a")
        litewf.continue_as_new()

    history = runs.export(fine)
    assert "ends with ERROR: ValueError: new bug" in runs.check(history, broken).reason
    assert "now continues as new" in runs.check(history, endless).reason
    assert runs.check(runs.export(broken), broken).matches


def test_an_unfinished_run_says_how_it_goes_on(runs: Runs) -> None:
    def failing(do: Any) -> Any:
        yield from runs.call("a", "b")
        raise KeyError("sku")

    history = runs.export(before(runs))
    cut = replace(history, steps=history.steps[:2])
    assert runs.check(history, before(runs)).reason == "it goes on at step 3 (litewf.sleep)"
    assert runs.check(cut, before(runs)).reason == "it goes on at step 3 (litewf.sleep)"
    assert runs.check(cut, failing).reason == "it ends with ERROR: KeyError: 'sku'"


def test_code_that_raises_before_the_end_of_the_records_says_what(runs: Runs) -> None:
    def broken(do: Any) -> Any:
        yield from runs.call("a")
        raise KeyError("sku")

    found = runs.check(runs.export(before(runs)), broken)
    assert found.verdict == "lacks_patch"
    assert found.reason.endswith("the code now ends before it makes that call, with KeyError: 'sku'")


def test_a_generation_replays_alone(runs: Runs) -> None:
    def loop(do: Any, round_: int = 1) -> Any:
        yield from runs.call(f"round {round_}")
        if round_ < 3:
            litewf.continue_as_new(round_ + 1)
        yield do.sleep(FOREVER)

    history = runs.export(loop)
    assert history.generation == 3
    assert [row.name for row in history.steps] == ["round 3", "litewf.sleep"]
    assert runs.check(history, loop).matches


def test_a_workflow_of_another_name_is_told_how_to_keep_its_runs(runs: Runs) -> None:
    history = runs.export(before(runs))
    with pytest.raises(AssertionError, match=r"is a run of 'flow', not of 'renamed'.*name='flow'"):
        assert_replays(history, runs.workflow(before(runs), name="renamed"))
    with pytest.raises(TypeError, match="a function with @workflow"):
        assert_replays(history, before)  # type: ignore[arg-type]  # the mistake that is meant


def test_records_of_the_same_version_that_do_not_match_are_called_what_they_are(runs: Runs) -> None:
    order = ["a", "b"]

    def wavering(do: Any) -> Any:
        yield from runs.call(order[0])
        yield do.sleep(FOREVER)

    history = runs.export(wavering)
    order.reverse()
    assert "not deterministic" in runs.check(history, wavering).advice


def test_a_workflow_logs_nothing_while_it_is_checked(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    def talking(do: Any) -> Any:
        litewf.logger.warning("here we go")
        yield from runs.call("a")
        litewf.logger.warning("on we go")
        yield do.sleep(FOREVER)

    history = runs.export(talking)
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "litewf"):
        assert runs.check(history, talking).matches
        assert runs.check(replace(history, steps=history.steps[:1]), talking).matches
        assert not runs.check(history, before(runs)).matches
    assert [record for record in caplog.records if record.name.startswith("litewf")] == []
