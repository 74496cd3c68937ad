"""Random plans of events and watchers, killed at random commits, against a model in plain Python (E5, E7, C3, B9)."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import litewf
from tests.communication.plans import CRASHES, SECOND_US, UNHURRIED, duration, in_us, moment, play
from tests.crash.explorer import Drive
from tests.crash.life import Life

WATCHERS = ("v0", "v1")
KEYS = ("a", "b")
NOTHING = "nothing"
NEVER_US = 1 << 62


@dataclass(frozen=True)
class Call:
    """One get_event of a watcher, after a sleep."""

    key: str
    timeout_s: int | None
    pause_s: int = 0


@dataclass(frozen=True)
class Showing:
    """A value that the workflow "s" shows; its place in the plan is its second and its value."""

    key: str
    in_step: bool = False


@dataclass(frozen=True)
class Plan:
    """What is going to happen; after the last showing the workflow that shows is finished."""

    calls: dict[str, list[Call]]
    showings: list[Showing]
    is_async: bool = False
    linger: float | None = field(default=0)


def predicted(plan: Plan, calls: list[Call]) -> list[object]:
    """What a watcher must get."""
    got: list[object] = []
    now_us = 0
    shown = [(second * SECOND_US, showing.key, second) for second, showing in enumerate(plan.showings, 1)]
    end_us = len(plan.showings) * SECOND_US
    for place, call in enumerate(calls):
        now_us += in_us(call.pause_s, place + 8)
        due_us = NEVER_US if call.timeout_s is None else now_us + in_us(call.timeout_s, place)
        mine = [(at_us, value) for at_us, key, value in shown if key == call.key]
        before = [value for at_us, value in mine if at_us <= now_us]
        after = [(at_us, value) for at_us, value in mine if now_us < at_us <= due_us]
        if before:
            got.append(before[-1])
        elif after:
            now_us = after[0][0]
            got.append(after[0][1])
        else:
            now_us = min(due_us, max(now_us, end_us))
            got.append(NOTHING)
    return got


def define(life: Life, plan: Plan) -> tuple[Any, Any]:
    """The workflows of a plan."""

    @life.step
    def show(key: str, value: int) -> None:
        litewf.set_event(key, value)

    @life.step
    def use(place: int, value: object) -> object:  # before a body starts, what was read is durable
        return value

    @life.step
    async def use_async(place: int, value: object) -> object:
        return value

    @life.workflow
    def shower() -> None:
        for second, showing in enumerate(plan.showings, 1):
            litewf.sleep_until(moment(second))
            if showing.in_step:
                show(showing.key, second)
            else:
                litewf.set_event(showing.key, second)

    @life.workflow
    def watcher(name: str) -> list[object]:
        got: list[object] = []
        for place, call in enumerate(plan.calls[name]):
            if call.pause_s:
                litewf.sleep(duration(call.pause_s, place + 8))
            got.append(use(place, litewf.get_event("s", call.key, **options(call, place))))
        return got

    @life.workflow
    async def async_watcher(name: str) -> list[object]:
        got: list[object] = []
        for place, call in enumerate(plan.calls[name]):
            if call.pause_s:
                await litewf.sleep_async(duration(call.pause_s, place + 8))
            got.append(await use_async(place, await litewf.get_event_async("s", call.key, **options(call, place))))
        return got

    return async_watcher if plan.is_async else watcher, shower


def options(call: Call, place: int) -> dict[str, Any]:
    timeout = None if call.timeout_s is None else duration(call.timeout_s, place)
    return {"timeout": timeout, "default": NOTHING}


def played(plan: Plan, life: Life) -> Drive:
    """The plan as a scenario: what it does from outside may be done again after each death."""
    watcher, shower = define(life, plan)

    def drive(engine: litewf.Engine) -> None:
        life.start(shower, "s")
        handles = {name: life.start(watcher, name, name) for name in plan.calls}
        life.settle()
        for name, calls in plan.calls.items():
            got = handles[name].get_result(timeout=0)
            assert got == predicted(plan, calls), f"{name}: {got}, not {predicted(plan, calls)}"
        latest = {showing.key: second for second, showing in enumerate(plan.showings, 1)}
        assert engine.get_all_events("s") == latest

    return drive


CALLS = st.builds(
    Call, st.sampled_from(KEYS), st.sampled_from([None, None, 0, 1, 3, 10]), st.sampled_from([0, 0, 0, 2, 7])
)
PLANS = st.builds(
    Plan,
    st.fixed_dictionaries({name: st.lists(CALLS, min_size=1, max_size=4) for name in WATCHERS}),
    st.lists(st.builds(Showing, st.sampled_from(KEYS), st.booleans()), min_size=1, max_size=6),
    st.booleans(),
    st.sampled_from([0, None]),
)
TWO_KEYS = Plan(
    {"v0": [Call("a", None), Call("b", 3), Call("a", None)], "v1": [Call("b", 1), Call("b", 0, 7)]},
    [Showing("b"), Showing("a"), Showing("a", in_step=True), Showing("b", in_step=True)],
)


@pytest.mark.usefixtures("silent_logs")
@settings(max_examples=40, **UNHURRIED)
@example(TWO_KEYS, [])
@example(TWO_KEYS, [30, 12])
@given(PLANS, CRASHES)
def test_every_get_event_gives_what_the_model_says(plan: Plan, crashes: list[int]) -> None:
    play(lambda life: played(plan, life), plan.linger, crashes)


@pytest.mark.nightly
@pytest.mark.usefixtures("silent_logs")
@settings(max_examples=2000, **{**UNHURRIED, "derandomize": False})
@given(PLANS, CRASHES)
def test_every_get_event_gives_what_the_model_says_in_thousands_of_plans(plan: Plan, crashes: list[int]) -> None:
    play(lambda life: played(plan, life), plan.linger, crashes)
