"""Any workflow's own export replays; changed at one place, it parts with its records at exactly that step."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import litewf
from litewf.api.upgrades import check_replay
from litewf.histories import ReplayCheck
from litewf.testing import assert_replays
from tests.replay.programs import Op, Program, from_plain, partings, plain, recorded, run, run_async

PLAIN = ["now", "sleep", "event", "stream", "look", "child", "nap", "wait"]
CALLS = st.sampled_from(
    [*(Op("step", name) for name in "abc"), *(Op("failing", name) for name in "de"), *(Op(kind) for kind in PLAIN)]
)


def branching(inner: st.SearchStrategy[Op], most: int) -> st.SearchStrategy[Op]:
    """Tasks that run at the same time, with programs of their own."""
    sequences = st.lists(inner, min_size=1, max_size=most).map(tuple)
    return st.lists(sequences, min_size=1, max_size=most).map(lambda branches: Op("branches", "", tuple(branches)))


BRANCHES = branching(CALLS, 3)
NESTED = branching(CALLS | BRANCHES, 2)
FLAT = st.lists(CALLS, max_size=8).map(tuple)
WITH_BRANCHES = st.lists(CALLS | BRANCHES | NESTED, max_size=6).map(tuple)
EXAMPLES = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def program_with(program: Program, *, is_async: bool) -> "litewf.Workflow | litewf.AsyncWorkflow":
    """The workflow `flow` of a program, whatever it is started with."""
    registry = litewf.Registry()
    return flow_of(registry, is_async=is_async, always=program)


def flow_of(registry: litewf.Registry, *, is_async: bool, always: Program | None = None) -> "litewf.Workflow":
    @registry.workflow(name="child")
    def child(value: str) -> str:
        return value

    if not is_async:

        @registry.workflow(name="flow")
        def flow(given: list) -> None:
            run(from_plain(given) if always is None else always, child)

        return flow

    @registry.workflow(name="child")
    async def child_async(value: str) -> str:
        return value

    @registry.workflow(name="flow")
    async def flow_async(given: list) -> None:
        await run_async(from_plain(given) if always is None else always, child_async)

    return flow_async


class Stage:
    """One engine for all examples: a program is the argument of its workflow."""

    def __init__(self, path: Path, *, is_async: bool) -> None:
        registry = litewf.Registry()
        self.is_async = is_async
        self._flow = flow_of(registry, is_async=is_async)
        self.engine = litewf.Engine(path, registry=registry, linger=0)

    def history(self, program: Program) -> litewf.History:
        """The export of a run that has come to its end, or to rest."""
        handle = self.engine.start_workflow(self._flow, plain(program))
        self.engine.wait_until_idle(timeout=20)
        return self.engine.export_workflow(handle.workflow_id)

    def check(self, history: litewf.History, program: Program) -> ReplayCheck:
        return check_replay(history, program_with(program, is_async=self.is_async))


@pytest.fixture(scope="module", params=["sync", "async"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("replay") / "flows.db", is_async=request.param == "async")
    with made.engine:
        yield made


def programs(stage: Stage) -> st.SearchStrategy[Program]:
    return WITH_BRANCHES if stage.is_async else FLAT


@EXAMPLES
@given(data=st.data())
def test_every_program_replays_its_own_export(stage: Stage, data: st.DataObject) -> None:
    program = data.draw(programs(stage))
    history = stage.history(program)
    assert history.is_finished == recorded(program).finished
    assert litewf.History.from_json(history.to_json()) == history
    assert_replays(history, program_with(program, is_async=stage.is_async))


@EXAMPLES
@given(data=st.data())
def test_a_changed_program_parts_with_its_records_at_exactly_the_step_that_changed(
    stage: Stage, data: st.DataObject
) -> None:
    program = data.draw(programs(stage))
    changed = data.draw(changes(program))
    history = stage.history(program)
    expected, _ = partings(recorded(program), changed, run_is_over=history.is_finished)
    found = stage.check(history, changed)
    if expected:
        assert found.verdict == ("diverges" if history.is_finished else "lacks_patch")
        assert found.step in expected
    else:
        assert found.matches, found


# --- one change ---------------------------------------------------------------------------------------------------


@st.composite
def changes(draw: st.DrawFn, program: Program) -> Program:
    """The program with a call inserted, removed, renamed, or moved behind the next one."""
    at = draw(st.integers(0, len(program)))
    if at < len(program) and program[at].kind == "branches" and draw(st.booleans()):
        op = program[at]
        which = draw(st.integers(0, len(op.branches) - 1))
        inner = draw(changes(op.branches[which]))
        branches = (*op.branches[:which], inner, *op.branches[which + 1 :])
        return (*program[:at], op._replace(branches=branches), *program[at + 1 :])
    how = draw(st.sampled_from(["insert", "remove", "rename", "reorder"]))
    if how == "insert" or at == len(program):
        return (*program[:at], Op("step", "new"), *program[at:])
    if how == "remove":
        return (*program[:at], *program[at + 1 :])
    if how == "rename":
        return (*program[:at], Op("step", "renamed"), *program[at + 1 :])
    return (*program[:at], *program[at + 1 : at + 2], program[at], *program[at + 2 :])
