"""Code that changes under a running workflow: a mismatch holds it, visibly; `patch` decides once which way it goes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import litewf

from .support import NAP, Body, Flavor, Gate, names, until

Launch = Callable[..., litewf.Engine]


class Program:
    """One program after the other on the same file, each with its own code for the workflow `flow`."""

    def __init__(self, launch: Launch, flavor: Flavor) -> None:
        self._launch = launch
        self._flavor = flavor
        self.gate = Gate()
        self.ran: list[str] = []

    def launch(self, body: Body, **options: Any) -> litewf.Engine:
        registry = litewf.Registry()
        self.flow = self._flavor.workflow(registry, name="flow")(body)
        return self._launch(registry=registry, **options)

    def step(self, name: str) -> Callable[[], Any]:
        """The call of a step that is only a name."""

        def run() -> str:
            self.ran.append(name)
            if name == "stop" and not self.gate.opened.is_set():
                self.gate.wait()
            return name

        return self._flavor.do.run_step(litewf.Registry().step(name=name)(run))

    def interrupt(self, body: Body, **options: Any) -> None:
        """Run the first program until its step `stop`, and end it there."""
        engine = self.launch(body, **options)
        engine.start_workflow(self.flow.with_options(workflow_id="w"))
        self.gate.await_reached()
        engine.shutdown(timeout=0)
        self.gate.open()

    def steps(self, *names: str) -> Body:
        """A body that calls steps of these names."""

        def body(do: Any) -> Any:
            found = []
            for name in names:
                found.append((yield self.step(name)))
            return found

        return body


@pytest.fixture
def program(launch: Launch, flavor: Flavor) -> Program:
    return Program(launch, flavor)


def held(engine: litewf.Engine) -> litewf.WorkflowStatus:
    """Wait until workflow `w` is held; its status."""
    with pytest.raises(litewf.WorkflowHeldError):
        engine.retrieve_workflow("w").get_result()
    return engine.retrieve_workflow("w").get_status()


def test_a_step_of_another_name_holds_the_workflow(program: Program) -> None:
    program.interrupt(program.steps("a", "b", "stop"))
    engine = program.launch(program.steps("a", "c", "stop"))
    with pytest.raises(litewf.NonDeterminismError, match="step 2 is recorded as 'b', but the code now calls 'c'"):
        engine.retrieve_workflow("w").get_result()
    status = held(engine)
    assert status.status == "PENDING"
    assert status.held == "step 2 is recorded as 'b', but the code now calls 'c'"
    assert [found.workflow_id for found in engine.list_workflows(held=True)] == ["w"]
    assert program.ran == ["a", "b", "stop"]
    assert names(engine, "w") == [("1", "a"), ("2", "b")]


def test_a_step_that_was_inserted_holds_the_workflow(program: Program) -> None:
    program.interrupt(program.steps("a", "b", "stop"))
    engine = program.launch(program.steps("new", "a", "b", "stop"))
    assert held(engine).held == "step 1 is recorded as 'a', but the code now calls 'new'"
    assert "new" not in program.ran


def test_code_that_ends_earlier_than_recorded_is_held(program: Program) -> None:
    program.interrupt(program.steps("a", "b", "stop"))
    engine = program.launch(program.steps("a"))
    assert held(engine).held == "step 2 is recorded, but the code now ends before it makes that call"
    with pytest.raises(litewf.NonDeterminismError):
        engine.retrieve_workflow("w").get_result()


def test_code_that_continues_as_new_earlier_than_recorded_is_held(program: Program) -> None:
    def hasty(do: Any) -> Any:
        yield program.step("a")
        litewf.continue_as_new()

    program.interrupt(program.steps("a", "b", "stop"))
    engine = program.launch(hasty)
    assert held(engine).held == "step 2 is recorded, but the code now ends before it makes that call"
    assert names(engine, "w") == [("1", "a"), ("2", "b")]


def test_code_that_raises_earlier_than_recorded_is_held(program: Program) -> None:
    def broken(do: Any) -> Any:
        yield program.step("a")
        raise ValueError("new bug")

    program.interrupt(program.steps("a", "b", "stop"))
    assert "ends before" in (held(program.launch(broken)).held or "")


def test_a_value_in_place_of_a_step_holds_the_workflow(program: Program) -> None:
    def moved(do: Any) -> Any:
        litewf.now()
        yield program.step("b")

    program.interrupt(program.steps("a", "b", "stop"))
    assert held(program.launch(moved)).held == "step 1 is recorded as 'a', but the code now calls 'litewf.now'"


def test_a_program_without_the_workflow_holds_it(program: Program, launch: Launch) -> None:
    program.interrupt(program.steps("a", "stop"))
    engine = launch(registry=litewf.Registry())
    status = held(engine)
    assert status.held == "no workflow named 'flow' is registered in this program"
    assert status.name == "flow"


def test_the_right_code_goes_on_where_wrong_code_held(program: Program) -> None:
    """By itself, if its version is another one."""
    program.interrupt(program.steps("a", "b", "stop"), application_version="1", recover="compatible")
    wrong = program.launch(program.steps("x"), application_version="2", recover="compatible")
    held(wrong)
    wrong.shutdown()
    engine = program.launch(program.steps("a", "b", "stop"), application_version="3", recover="compatible")
    assert engine.retrieve_workflow("w").get_result() == ["a", "b", "stop"]
    assert engine.retrieve_workflow("w").get_status().held is None
    assert program.ran.count("a") == 1


def test_the_version_is_a_hash_of_the_workflows_code(launch: Launch) -> None:
    a, b = (litewf.Registry().step(name=name)(lambda: None) for name in "ab")

    def with_a() -> str:
        a()
        litewf.sleep(NAP)
        return "a"

    def with_b() -> str:
        b()
        litewf.sleep(NAP)
        return "b"

    def registry(fn: Callable[[], str]) -> litewf.Registry:
        made = litewf.Registry()
        made.workflow(name="flow")(fn)
        return made

    versions = [litewf.Engine("x.db", registry=registry(fn)).application_version for fn in (with_a, with_b, with_a)]
    assert versions[0] == versions[2] != versions[1]


def test_the_same_code_does_not_try_again_by_itself_but_after_a_resume(program: Program) -> None:
    right = True

    def wavering(do: Any) -> Any:
        yield program.step("a" if right else "x")
        return (yield program.step("stop"))

    program.interrupt(wavering)
    right = False
    engine = program.launch(wavering)
    held(engine)
    engine.shutdown()
    right = True
    engine = program.launch(wavering)
    held(engine)
    handle = engine.resume_workflow("w")
    assert handle.get_result() == "stop"
    assert handle.get_status().status == "SUCCESS"


def test_a_parent_goes_on_waiting_for_a_held_child(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    order = ["a", "b"]
    steps = {name: flavor.step(litewf.Registry(), name=name)(lambda: "done") for name in order}

    @flavor.workflow(registry)
    def child(do: Any) -> Any:
        name = order.pop(0) if order else "a"
        yield do(steps[name])
        yield do.sleep(NAP)
        return name

    @flavor.workflow(registry)
    def parent(do: Any) -> Any:
        return (yield do(child))

    engine = launch()
    handle = engine.start_workflow(parent.with_options(workflow_id="p"))
    until(lambda: engine.list_workflows(held=True))
    with pytest.raises(litewf.NonDeterminismError):
        engine.retrieve_workflow("p~1").get_result()
    until(lambda: handle.get_status().waiting_on)
    assert handle.get_status().held is None
    engine.resume_workflow("p~1")
    assert handle.get_result() == "a"


def test_a_branch_in_place_of_a_step_and_the_other_way_hold_the_workflow(
    launch: Launch, registry: litewf.Registry
) -> None:
    @registry.step(name="a")
    async def a() -> None:
        pass

    async def branch() -> None:
        await a()

    shapes = []

    @registry.workflow
    async def flow(first: str, second: str) -> None:
        shapes.append(first)
        if (first if len(shapes) == 1 else second) == "step":
            await a()
        else:
            await asyncio.create_task(branch())
        await litewf.sleep_async(NAP)

    engine = launch()
    for first, second, reason in (("step", "branch", "1 is recorded"), ("branch", "step", "1.1 is recorded")):
        shapes.clear()
        with pytest.raises(litewf.NonDeterminismError, match=reason):
            engine.run_workflow(flow, first, second)


def test_a_held_workflow_can_be_cancelled(program: Program) -> None:
    program.interrupt(program.steps("a", "stop"))
    engine = program.launch(program.steps("x"))
    held(engine)
    engine.cancel_workflow("w")
    with pytest.raises(litewf.WorkflowCancelledError):
        engine.retrieve_workflow("w").get_result()
    assert engine.retrieve_workflow("w").get_status().held is None


# --- patches ------------------------------------------------------------------------------------------------------


def patched(program: Program) -> Body:
    """The code of `steps("a", "stop", "b")` after a change behind a patch."""

    def body(do: Any) -> Any:
        found = []
        if litewf.patch("use-x"):
            found.append((yield program.step("x")))
        else:
            found.append((yield program.step("a")))
        found.append((yield program.step("stop")))
        found.append(litewf.patch("use-x"))
        found.append(litewf.patch("use-y"))
        yield do.sleep(NAP)
        found.append(litewf.patch("use-y"))
        return found

    return body


def test_a_workflow_from_before_a_patch_keeps_its_way(program: Program) -> None:
    program.interrupt(program.steps("a", "stop"))
    engine = program.launch(patched(program))
    assert engine.retrieve_workflow("w").get_result() == ["a", "stop", False, True, True]


def test_a_workflow_that_starts_after_a_patch_takes_the_new_way(program: Program) -> None:
    program.gate.open()
    engine = program.launch(patched(program))
    handle = engine.start_workflow(program.flow)
    assert handle.get_result() == ["x", "stop", True, True, True]
    numbers = [number for number, name in names(engine, handle.workflow_id) if name != "litewf.patch"]
    assert numbers == ["1", "2", "3"]


def test_a_patch_can_be_deprecated_and_then_removed(program: Program) -> None:
    def deprecated(do: Any) -> Any:
        litewf.deprecate_patch("use-x")
        return [(yield program.step("x")), (yield program.step("stop"))]

    program.interrupt(patched(program))
    engine = program.launch(deprecated)
    assert engine.retrieve_workflow("w").get_result() == ["x", "stop"]
    engine.fork_workflow("w", 2, workflow_id="f")
    assert engine.retrieve_workflow("f").get_result() == ["x", "stop"]
    engine.shutdown()
    engine = program.launch(program.steps("x", "stop"))
    engine.fork_workflow("w", 2, workflow_id="g")
    assert engine.retrieve_workflow("g").get_result() == ["x", "stop"]


def test_a_workflow_that_starts_after_a_patch_was_deprecated_replays(program: Program) -> None:
    def deprecated(do: Any) -> Any:
        litewf.deprecate_patch("use-x")
        yield do.sleep(NAP)
        litewf.deprecate_patch("use-x")
        return (yield program.step("x"))

    engine = program.launch(deprecated)
    handle = engine.start_workflow(program.flow)
    assert handle.get_result() == "x"


def test_a_workflow_from_before_a_patch_is_held_once_the_patch_is_deprecated(program: Program) -> None:
    def deprecated(do: Any) -> Any:
        litewf.deprecate_patch("use-x")
        yield program.step("a")

    program.interrupt(program.steps("a", "stop"))
    assert "before patch 'use-x'" in (held(program.launch(deprecated)).held or "")


def test_a_patch_in_a_branch_is_decided_for_the_whole_workflow(launch: Launch, registry: litewf.Registry) -> None:
    @registry.step(name="s")
    async def s() -> None:
        pass

    async def branch() -> bool:
        await s()
        return litewf.patch("p")

    @registry.workflow
    async def flow() -> list[bool]:
        found = await asyncio.gather(branch(), branch())
        await litewf.sleep_async(NAP)
        return [*found, litewf.patch("p")]

    assert launch().run_workflow(flow) == [True, True, True]


@pytest.mark.parametrize("name", ["", " x", "a\nb", "x" * 256, 5, None])
def test_a_patch_name_is_readable_text(launch: Launch, registry: litewf.Registry, flavor: Flavor, name: Any) -> None:
    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do(litewf.patch, name)

    with pytest.raises((TypeError, ValueError), match="a patch's name"):
        launch().run_workflow(flow)


def test_a_patch_before_a_task_that_has_started_keeps_the_old_way(launch: Launch) -> None:
    gate = Gate()

    @litewf.Registry().step(name="s")
    async def s() -> None:
        pass

    @litewf.Registry().step(name="stop")
    def stop() -> None:
        gate.wait()

    async def branch() -> None:
        await s()
        await litewf.run_step_async(stop)

    async def old() -> str:
        await asyncio.create_task(branch())
        return "old"

    async def new() -> str:
        if litewf.patch("p"):
            await s()
            return "new"
        await asyncio.create_task(branch())
        return "old way"

    engines = []
    for fn in (old, new):
        registry = litewf.Registry()
        flow = registry.workflow(name="flow")(fn)
        engines.append(launch(registry=registry))
        if fn is old:
            engines[0].start_workflow(flow.with_options(workflow_id="w"))
            gate.await_reached()
            engines[0].shutdown(timeout=0)
            gate.open()
    assert engines[1].retrieve_workflow("w").get_result() == "old way"
