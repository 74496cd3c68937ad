"""What a replay check says of code that changed: where it parts with the records, whether a patch is missing, what to do."""

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import litewf
from litewf.api.upgrades import check_replay, check_upgrade
from litewf.histories import ReplayCheck
from litewf.testing import assert_replays
from tests.execution.support import Flavor

FOREVER = 1e9  # seconds, which a run sleeps to be exported unfinished


@pytest.fixture(params=["sync", "async"])
def flavor(request: pytest.FixtureRequest) -> Flavor:
    return Flavor(is_async=request.param == "async")


class Runs:
    """Runs of one program, exported, to be checked against another."""

    def __init__(self, path: Path, flavor: Flavor) -> None:
        self._path = path
        self._flavor = flavor
        self.bodies: list[str] = []  # steps that ran

    def call(self, *names: str) -> Any:
        """The calls of steps that are only names."""
        for name in names:
            yield self._flavor.do.run_step(self._step(name))

    def _step(self, name: str) -> Any:
        def body() -> str:
            self.bodies.append(name)
            return name

        return litewf.Registry().step(name=name)(self._flavor.function(body))

    def workflow(self, body: Any, name: str = "flow") -> Any:
        return self._flavor.workflow(litewf.Registry(), name=name)(body)

    def export(self, body: Any, *args: Any, **options: Any) -> litewf.History:
        """Run it until it rests; its history."""
        flow = self.workflow(body)
        with litewf.Engine(self._path, registry=flow.registry, linger=0, **options) as engine:
            handle = engine.start_workflow(flow, *args)
            engine.wait_until_idle()
            history = engine.export_workflow(handle.workflow_id)
        self.bodies.clear()
        return history

    def check(self, history: litewf.History, body: Any) -> ReplayCheck:
        found = check_replay(history, self.workflow(body))
        assert self.bodies == []
        return found


@pytest.fixture
def runs(path: Path, flavor: Flavor) -> Runs:
    return Runs(path, flavor)


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
    image = path.read_bytes()
    assert runs.check(history, before(runs)).matches
    assert runs.check(replace(history, steps=history.steps[:1]), before(runs)).reason == "it goes on at step 2 (b)"
    assert runs.bodies == []
    assert path.read_bytes() == image
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("litewf-")]


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


def test_a_patch_that_was_removed_while_a_run_takes_its_old_way_is_named(runs: Runs) -> None:
    def patched(do: Any) -> Any:
        yield from runs.call("a")
        yield from runs.call("new" if litewf.patch("p") else "b")
        yield do.sleep(FOREVER)

    def removed(do: Any) -> Any:
        yield from runs.call("a", "new")
        yield do.sleep(FOREVER)

    new_way = runs.export(patched)
    assert runs.check(new_way, removed).matches
    decision = next(row for row in new_way.steps if row.name == "litewf.patch")
    old_way = tuple(
        {"litewf.patch": row._replace(output="false"), "new": row._replace(name="b")}.get(row.name, row)
        for row in new_way.steps
    )
    assert decision.step == "2:p"
    found = runs.check(replace(new_way, steps=old_way), removed)
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


# --- what only one kind of workflow can do ------------------------------------------------------------------------


@dataclass
class Lost:
    """A class that the next program no longer has."""

    number: int


def test_values_that_cannot_be_decoded_are_told_from_changes(path: Path) -> None:
    registry = litewf.Registry()

    @registry.step(name="make")
    def make() -> Lost:
        return Lost(1)

    @registry.workflow(name="flow")
    def flow(given: object) -> None:
        make()
        litewf.sleep(FOREVER)

    with litewf.Engine(path, registry=registry, linger=0) as engine:
        ids = [engine.start_workflow(flow, given).workflow_id for given in (None, Lost(2))]
        engine.wait_until_idle()
        in_step, in_input = (engine.export_workflow(one) for one in ids)
    assert check_replay(in_step, flow).matches
    found = [check_replay(_without(Lost, history), flow) for history in (in_step, in_input)]
    assert [one.verdict for one in found] == ["undecodable", "undecodable"]
    assert [one.step for one in found] == ["1", None]
    assert "Gone" in found[0].reason
    assert "its input cannot be decoded" in found[1].reason
    assert "aliases" in found[0].advice


def _without(cls: type, history: litewf.History) -> litewf.History:
    """The history as if the class had gone."""
    return litewf.History.from_json(history.to_json().replace(f":{cls.__name__}", ":Gone"))


def test_a_branch_that_ends_before_its_records_is_found(path: Path) -> None:
    registry, changed = litewf.Registry(), litewf.Registry()

    async def flow(*, short: bool) -> None:
        async def branch() -> None:
            await litewf.run_step_async(step("a"))
            if not short:
                await litewf.run_step_async(step("b"))

        await asyncio.gather(branch(), branch())
        await litewf.sleep_async(FOREVER)

    def step(name: str) -> Any:
        return litewf.Registry().step(name=name)(lambda: None)

    @registry.workflow(name="flow")
    async def as_it_was() -> None:
        await flow(short=False)

    @changed.workflow(name="flow")
    async def as_it_is() -> None:
        await flow(short=True)

    with litewf.Engine(path, registry=registry, linger=0) as engine:
        handle = engine.start_workflow(as_it_was)
        engine.wait_until_idle()
        history = engine.export_workflow(handle.workflow_id)
    assert check_replay(history, as_it_was).matches
    found = check_replay(history, as_it_is)
    assert (found.verdict, found.step, found.recorded) == ("lacks_patch", "1.2", "b")


def test_code_that_waits_for_something_else_than_a_durable_call_is_unclear(path: Path) -> None:
    registry, changed = litewf.Registry(), litewf.Registry()

    @registry.workflow(name="flow")
    async def as_it_was() -> None:
        litewf.now()
        await litewf.sleep_async(FOREVER)

    @changed.workflow(name="flow")
    async def as_it_is() -> None:
        await asyncio.Event().wait()

    with litewf.Engine(path, registry=registry, linger=0) as engine:
        handle = engine.start_workflow(as_it_was)
        engine.wait_until_idle()
        history = engine.export_workflow(handle.workflow_id)
    found = check_replay(history, as_it_is, patience=0.01)
    assert found.verdict == "unclear"
    assert "waits for no durable call" in found.reason


def test_methods_replay_on_the_object_that_the_program_names(path: Path) -> None:
    def program() -> tuple[litewf.Registry, Any]:
        registry = litewf.Registry()

        class Shop:
            @registry.workflow(name="Shop.sell")
            def sell(self) -> None:
                litewf.now()
                litewf.sleep(FOREVER)

        return registry, Shop

    registry, shop = program()
    eu = registry.instance("eu", shop())
    with litewf.Engine(path, registry=registry, linger=0) as engine:
        handle = engine.start_workflow(eu.sell)
        engine.wait_until_idle()
        history = engine.export_workflow(handle.workflow_id)
    assert check_replay(history, eu.sell).matches
    other, other_shop = program()
    us = other.instance("us", other_shop())
    found = check_replay(history, us.sell)
    assert found.verdict == "unknown_workflow"
    assert "instance:eu" in found.reason


def test_the_methods_of_an_engine_replay_whether_it_is_launched_or_not(path: Path, tmp_path: Path) -> None:
    registry = litewf.Registry()
    engine = litewf.Engine(path, registry=registry, linger=0)

    @registry.workflow(name="other")
    def other() -> None:
        pass

    @registry.workflow(name="flow")
    def flow() -> str:
        handle = engine.start_workflow(other)
        handle.get_result()
        engine.send(litewf.workflow_id(), "hello")
        return engine.retrieve_workflow(handle.workflow_id).get_status().status

    with engine:
        handle = engine.start_workflow(flow)
        handle.get_result()
        history = engine.export_workflow(handle.workflow_id)
        assert_replays(history, flow)
    assert_replays(history, flow)


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


# --- a whole file -------------------------------------------------------------------------------------------------


def test_every_unfinished_workflow_of_a_file_is_checked_while_an_engine_runs_it(path: Path) -> None:
    old = litewf.Registry()
    inside, going = threading.Event(), threading.Event()

    def name(registry: litewf.Registry, called: str) -> Any:
        return registry.workflow(name=called)

    @name(old, "kept")
    def kept() -> None:
        litewf.now()
        litewf.sleep(FOREVER)

    @name(old, "changed")
    def changed() -> None:
        litewf.random()
        litewf.sleep(FOREVER)

    @name(old, "gone")
    def gone() -> None:
        litewf.sleep(FOREVER)

    @name(old, "working")
    def working() -> None:
        litewf.run_step(lambda: inside.set() or going.wait(30))

    @name(old, "over")
    def over() -> None:
        pass

    new = litewf.Registry()
    name(new, "kept")(kept.fn)
    name(new, "working")(working.fn)
    name(new, "changed")(lambda: litewf.uuid())
    with litewf.Engine(path, registry=old, linger=0) as engine:
        for workflow in (kept, changed, gone, over):
            engine.start_workflow(workflow.with_options(workflow_id=workflow.name))
        engine.enqueue("nobody's", kept.with_options(workflow_id="queued"))
        engine.start_workflow(kept.with_options(workflow_id="cancelled"))
        engine.cancel_workflow("cancelled")
        engine.wait_until_idle()
        engine.start_workflow(working.with_options(workflow_id="working"))
        assert inside.wait(30)
        found = {one.workflow_id: one.verdict for one in check_upgrade(path, new)}
        unchanged = [one for one in check_upgrade(path, old) if not one.matches]
        going.set()
    assert found == {"kept": "matches", "changed": "lacks_patch", "gone": "unknown_workflow", "queued": "matches",
                     "working": "matches"}  # fmt: skip
    assert unchanged == []
