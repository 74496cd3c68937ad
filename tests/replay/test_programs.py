"""Replay checks of whole programs: their classes, objects and engines, tasks, and every workflow of a file at once."""

import asyncio
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import litewf
from litewf.api.upgrades import check_replay, check_upgrade
from litewf.testing import assert_replays
from tests.replay.runs import FOREVER


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


def test_a_recorded_text_that_holds_no_value_is_undecodable_and_no_error_of_the_code(path: Path) -> None:
    registry = litewf.Registry()

    @registry.step(name="make")
    def make() -> int:
        return 1

    @registry.workflow(name="flow")
    def flow() -> None:
        try:
            make()
        except Exception:
            raise AssertionError("the code was told") from None
        litewf.sleep(FOREVER)

    with litewf.Engine(path, registry=registry, linger=0) as engine:
        handle = engine.start_workflow(flow)
        engine.wait_until_idle()
        history = engine.export_workflow(handle.workflow_id)
    for text in ('{"$datetime": "no day"}', "no JSON"):
        damaged = replace(history, steps=(history.steps[0]._replace(output=text), *history.steps[1:]))
        found = check_replay(damaged, flow)
        assert (found.verdict, found.step) == ("undecodable", "1")


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
    name(new, "changed")(lambda: [litewf.uuid(), litewf.sleep(FOREVER)])
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
