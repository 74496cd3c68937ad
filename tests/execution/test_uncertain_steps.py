"""`on_uncertain`: what happens to a step whose process died inside the body, and only then."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import litewf

from .support import NAP, Flavor, Gate

Launch = Callable[..., litewf.Engine]

DYING = """
import os, sys
import litewf

where = sys.argv[2]

@litewf.step(name="charge", max_retries=int(sys.argv[4]), base_interval=0, on_uncertain=eval(sys.argv[3]))
def charge(amount):
    print("body", litewf.attempt(), flush=True)
    if litewf.attempt() == int(where):
        os._exit(9)
    raise OSError(f"failure {litewf.attempt()}")

@litewf.workflow(name="flow")
def flow(amount):
    return charge(amount)

with litewf.Engine(sys.argv[1]) as engine:
    engine.run_workflow(flow.with_options(workflow_id="w"), 5)
"""


def die_in_attempt(path: Path, attempt: int, on_uncertain: str, retries: int = 0) -> None:
    """Run a process that dies inside the body of the step of workflow w."""
    root = Path(litewf.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", DYING, path, str(attempt), on_uncertain, str(retries)],
        env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 9, done.stderr
    assert done.stdout.split()[-1] == str(attempt)


class Shop:
    """The program that comes after the death: the same definitions, with bodies that the test can watch."""

    def __init__(self, registry: litewf.Registry, launch: Launch, **options: Any) -> None:
        self.bodies: list[tuple[int, str]] = []

        @registry.step(name="charge", **options)
        def charge(amount: int) -> str:
            self.bodies.append((litewf.attempt(), litewf.idempotency_key()))
            return f"charged {amount}"

        @registry.workflow(name="flow")
        def flow(amount: int) -> str:
            result = charge(amount)
            litewf.sleep(NAP)
            return result

        self.engine = launch()
        self.handle = self.engine.retrieve_workflow("w")


def test_rerun_runs_the_body_again(path: Path, registry: litewf.Registry, launch: Launch) -> None:
    die_in_attempt(path, 1, "'rerun'")
    shop = Shop(registry, launch)
    assert shop.handle.get_result() == "charged 5"
    assert shop.bodies == [(1, "w:1")]


def test_fail_raises_an_error_that_is_recorded(path: Path, registry: litewf.Registry, launch: Launch) -> None:
    die_in_attempt(path, 1, "'fail'")
    shop = Shop(registry, launch, on_uncertain="fail")
    with pytest.raises(litewf.StepUncertainError, match=r"step 1 \(charge\) of workflow 'w'.* may have happened"):
        shop.handle.get_result()
    assert shop.bodies == []
    assert isinstance(shop.engine.list_steps("w")[0].error, litewf.StepUncertainError)
    assert shop.engine.list_steps("w")[0].attempts == 1


def test_fail_is_not_a_reason_for_another_attempt(path: Path, registry: litewf.Registry, launch: Launch) -> None:
    die_in_attempt(path, 2, "'fail'", retries=5)
    shop = Shop(registry, launch, on_uncertain="fail", max_retries=5)
    with pytest.raises(litewf.StepUncertainError):
        shop.handle.get_result()
    assert shop.bodies == []
    assert shop.engine.list_steps("w")[0].attempts == 2


def test_a_probe_that_knows_the_result_replaces_the_body(path: Path, registry: litewf.Registry, launch: Launch) -> None:
    asked = []

    def probe(amount: int) -> str:
        asked.append((amount, litewf.idempotency_key(), litewf.attempt()))
        return "found"

    die_in_attempt(path, 1, "lambda amount: None")
    shop = Shop(registry, launch, on_uncertain=probe)
    assert shop.handle.get_result() == "found"
    assert asked == [(5, "w:1", 1)]
    assert shop.bodies == []


def test_a_probe_that_says_not_done_lets_the_body_run(path: Path, registry: litewf.Registry, launch: Launch) -> None:
    die_in_attempt(path, 2, "lambda amount: None", retries=3)
    shop = Shop(registry, launch, on_uncertain=lambda amount: litewf.NOT_DONE, max_retries=3)
    assert shop.handle.get_result() == "charged 5"
    assert shop.bodies == [(2, "w:1")]


def test_a_probe_may_return_none(path: Path, registry: litewf.Registry, launch: Launch) -> None:
    die_in_attempt(path, 1, "lambda amount: None")
    shop = Shop(registry, launch, on_uncertain=lambda amount: None)
    assert shop.handle.get_result() is None
    assert shop.bodies == []


def test_an_async_probe_works_in_a_sync_workflow(path: Path, registry: litewf.Registry, launch: Launch) -> None:
    async def probe(amount: int) -> str:
        return f"found {amount}"

    die_in_attempt(path, 1, "lambda amount: None")
    assert Shop(registry, launch, on_uncertain=probe).handle.get_result() == "found 5"


def test_a_probe_that_fails_never_lets_the_body_run(path: Path, registry: litewf.Registry, launch: Launch) -> None:
    asked = []

    def probe(amount: int) -> str:
        asked.append(litewf.attempt())
        if len(asked) < 3:
            raise ConnectionError("no answer")
        return "found"

    die_in_attempt(path, 1, "lambda amount: None")
    shop = Shop(registry, launch, on_uncertain=probe, max_retries=3)
    assert shop.handle.get_result() == "found"
    assert asked == [1, 2, 3]
    assert shop.bodies == []


def test_the_error_of_a_probe_is_the_outcome_when_there_are_no_retries(
    path: Path, registry: litewf.Registry, launch: Launch
) -> None:
    def probe(amount: int) -> str:
        raise ConnectionError("no answer")

    die_in_attempt(path, 1, "lambda amount: None")
    shop = Shop(registry, launch, on_uncertain=probe)
    with pytest.raises(ConnectionError, match="no answer"):
        shop.handle.get_result()
    assert shop.bodies == []


def test_a_clean_shutdown_within_the_body_is_uncertain_too(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    gate, bodies = Gate(), []

    @registry.step(name="charge", on_uncertain="fail")
    def charge() -> None:
        bodies.append(litewf.attempt())
        gate.wait()

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do.run_step(charge)

    first = launch()
    first.start_workflow(flow.with_options(workflow_id="w"))
    gate.await_reached()
    first.shutdown(timeout=0)
    gate.open()
    with pytest.raises(litewf.StepUncertainError):
        launch().retrieve_workflow("w").get_result()
    assert bodies == [1]


def test_a_body_that_only_fails_or_waits_is_never_uncertain(
    launch: Launch, registry: litewf.Registry, flavor: Flavor
) -> None:
    bodies = []

    @flavor.step(registry, on_uncertain="fail", max_retries=3)
    def flaky() -> str:
        bodies.append(litewf.attempt())
        if len(bodies) < 3:
            raise OSError("again")
        return "done"

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        found = yield do(flaky)
        yield do.sleep(NAP)
        return found

    assert launch().run_workflow(flow) == "done"
    assert bodies == [1, 2, 3]


def test_the_intent_is_written_before_the_body(launch: Launch, registry: litewf.Registry, flavor: Flavor) -> None:
    seen: list[Any] = []

    @registry.step(on_uncertain="fail", name="charge")
    def charge() -> None:
        (step,) = engine.list_steps("w")
        seen.append((step.name, step.completed_at))

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do.run_step(charge)

    engine = launch()
    engine.run_workflow(flow.with_options(workflow_id="w"))
    assert seen == [("charge", None)]
