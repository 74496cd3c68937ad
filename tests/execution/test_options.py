"""Options of workflows and steps: what they change, and that wrong ones are refused when they are given."""

from collections.abc import Callable
from typing import Any

import pytest

import litewf

from .support import BAD_NAMES, Flavor

Launch = Callable[..., litewf.Engine]


def count() -> int:
    return 1


def test_options_make_a_copy_and_leave_the_workflow_as_it_is(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    @flavor.workflow(registry)
    def who(do: Any) -> Any:
        yield do(print, end="")
        return litewf.workflow_id(), litewf.authenticated_user(), litewf.authenticated_roles()

    named = who.with_options(
        workflow_id="w-1", authenticated_user="ann", authenticated_roles=["admin"], attributes={"team": 7}
    )
    engine = launch()
    assert engine.run_workflow(named) == ("w-1", "ann", ("admin",))
    assert engine.run_workflow(named) == ("w-1", "ann", ("admin",))
    other = engine.start_workflow(who)
    assert other.get_result() == (other.workflow_id, None, ())
    assert engine.retrieve_workflow("w-1").get_status().attributes == {"team": 7}


def test_steps_take_options_at_the_call(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    tries: list[int] = []

    @flavor.step(registry)
    def flaky() -> int:
        tries.append(litewf.attempt())
        if litewf.attempt() < 3:
            raise OSError("try again")
        return litewf.attempt()

    @flavor.workflow(registry)
    def patient(do: Any) -> Any:
        return (yield do(flaky.with_options(name="eager", max_retries=2, base_interval=0)))

    engine = launch()
    handle = engine.start_workflow(patient)
    assert handle.get_result() == 3
    assert tries == [1, 2, 3]
    assert [step.name for step in engine.list_steps(handle.workflow_id)] == ["eager"]


WRONG_STEP_OPTIONS: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"max_retries": -1}, ValueError), ({"max_retries": 1.5}, TypeError), ({"max_retries": True}, TypeError),
    ({"base_interval": -1}, ValueError), ({"base_interval": float("nan")}, ValueError),
    ({"base_interval": "1"}, TypeError), ({"max_interval": float("inf")}, ValueError),
    ({"backoff_factor": 0.5}, ValueError), ({"backoff_factor": float("nan")}, ValueError),
    ({"backoff_factor": "2"}, TypeError), ({"jitter": 1.1}, ValueError), ({"jitter": -0.1}, ValueError),
    ({"timeout": -1}, ValueError), ({"timeout": True}, TypeError), ({"timeout": 1e300}, ValueError),
    ({"retry_on": "OSError"}, TypeError), ({"retry_on": (OSError, "x")}, TypeError), ({"retry_on": int}, TypeError),
    ({"on_uncertain": "maybe"}, ValueError), ({"on_uncertain": None}, ValueError), ({"retries": 3}, TypeError),
]  # fmt: skip


@pytest.mark.parametrize(("options", "error"), WRONG_STEP_OPTIONS, ids=str)
def test_wrong_step_options_are_refused_when_they_are_given(
    registry: litewf.Registry, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error, match=next(iter(options))):
        registry.step(**options)(count)
    with pytest.raises(error):
        registry.step(count).with_options(**options)


def test_only_an_async_step_is_cancellable(registry: litewf.Registry) -> None:
    with pytest.raises(ValueError, match="only an async body"):
        registry.step(cancellable=True)(count)


WRONG_START_OPTIONS: list[tuple[dict[str, Any], type[Exception]]] = [
    *[({"workflow_id": name}, ValueError) for name in (*BAD_NAMES, "a~b")],
    ({"workflow_id": 5}, TypeError), ({"workflow_id": b"x"}, TypeError), ({"timeout": -1}, ValueError),
    ({"timeout": float("nan")}, ValueError), ({"timeout": "5"}, TypeError), ({"timeout": True}, TypeError),
    ({"application_version": ""}, ValueError), ({"application_version": 1}, TypeError),
    ({"authenticated_user": 5}, TypeError), ({"authenticated_user": "\ud800"}, ValueError),
    ({"authenticated_roles": "admin"}, TypeError), ({"authenticated_roles": [5]}, TypeError),
    ({"authenticated_roles": 5}, TypeError),
    ({"attributes": {"a": [1]}}, TypeError), ({"attributes": {5: 1}}, TypeError),
    ({"attributes": {"a": float("nan")}}, ValueError), ({"attributes": [("a", 1)]}, TypeError),
    ({"attributes": {"a": "\ud800"}}, ValueError), ({"detached": "yes"}, TypeError),
    ({"on_existing_id": "replace"}, ValueError), ({"colour": "red"}, TypeError),
]  # fmt: skip


@pytest.mark.parametrize(("options", "error"), WRONG_START_OPTIONS, ids=lambda value: repr(value)[:40])
def test_wrong_start_options_are_refused_when_they_are_given(
    registry: litewf.Registry, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        registry.workflow(count).with_options(**options)
