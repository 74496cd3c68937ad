"""Engines that die: where they are told to, for good, and so that the next one finds what was durable."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

import litewf
from litewf.testing import Fake, MortalEngine, SimulatedDeath, VirtualClock


@pytest.fixture
def two_steps(registry: litewf.Registry) -> Any:
    step = registry.step(name="step")(lambda x: x)
    return registry.workflow(name="two_steps")(lambda: [step(1), step(2)])


def life(path: Path, registry: litewf.Registry, clock: VirtualClock, **options: Any) -> MortalEngine:
    return MortalEngine(path, registry=registry, clock=clock, application_version="1", **options)


@pytest.mark.parametrize("at", [1, 2, 5, 6, 7])
def test_it_dies_at_a_point_by_its_number_and_the_next_one_goes_on(
    at: int, path: Path, registry: litewf.Registry, two_steps: Any
) -> None:
    clock = VirtualClock()
    with life(path, registry, clock):
        pass

    def start(engine: MortalEngine) -> None:
        engine.start_workflow(two_steps.with_options(workflow_id="w"))
        engine.drain()

    first = life(path, registry, clock, die_at=at)
    assert first.live(start)
    assert f"point {at} of life 2" in str(first.death)
    assert not life(path, registry, clock).live(start)
    with life(path, registry, clock) as last:
        assert last.retrieve_workflow("w").get_result() == [1, 2]


def test_it_dies_at_the_first_point_of_a_kind(path: Path, registry: litewf.Registry, two_steps: Any) -> None:
    engine = life(path, registry, VirtualClock(), die_at=lambda point: point == "migration.after")
    assert engine.live(lambda engine: engine.drain())
    assert str(engine.death).startswith("lost: killed at migration.after")


def test_a_killed_engine_answers_nobody_and_writes_nothing(
    path: Path, registry: litewf.Registry, two_steps: Any
) -> None:
    clock = VirtualClock()
    with life(path, registry, clock) as engine:
        waiting = engine.start_workflow(registry.workflow(name="waiting")(lambda: [litewf.recv("never")]))
        caught: list[BaseException] = []

        def call() -> None:
            try:
                waiting.get_result()
            except litewf.EngineClosedError as error:
                caught.append(error)

        caller = threading.Thread(target=call)
        caller.start()
        engine.kill("the test")
        caller.join(20)
        assert "the engine died" in str(caught[0])
        for act in (lambda: engine.start_workflow(two_steps), lambda: engine.send(waiting.workflow_id, 1)):
            with pytest.raises((litewf.EngineClosedError, SimulatedDeath)):
                act()
        with pytest.raises(SimulatedDeath):
            engine.drain()
    with life(path, registry, clock) as second:
        assert second.list_workflows(name="two_steps") == []
        assert second.retrieve_workflow(waiting.workflow_id).get_status().status == "PENDING"


def test_who_waits_hears_of_a_death_that_nobody_sees(path: Path, registry: litewf.Registry, two_steps: Any) -> None:
    """The engine dies in a thread of its own, and the test only waits for a result."""
    engine = life(path, registry, VirtualClock(), die_at=lambda point: point == "commit.before" and armed.is_set())
    armed = threading.Event()

    def wait(engine: MortalEngine) -> None:
        handle = engine.start_workflow(registry.workflow(name="nap")(lambda: litewf.sleep(60)))
        engine.drain(engine.clock.now)
        armed.set()
        with pytest.raises(litewf.EngineClosedError):
            handle.get_result()

    assert engine.live(wait)


def test_an_async_workflow_dies_too(path: Path, registry: litewf.Registry) -> None:
    @registry.step
    async def step() -> int:
        await asyncio.sleep(0)
        return 1

    @registry.workflow
    async def main() -> int:
        return await step() + await step()

    def start(engine: MortalEngine) -> None:
        engine.start_workflow(main.with_options(workflow_id="w"))
        engine.drain()

    clock, deaths = VirtualClock(), 0
    while life(path, registry, clock, die_at=4 + 2 * deaths).live(start):
        deaths += 1
    assert deaths > 1
    with life(path, registry, clock) as last:
        assert last.retrieve_workflow("w").get_result() == 2


def test_the_same_seed_gives_the_same_ids_and_each_life_has_its_own(registry: litewf.Registry, tmp_path: Path) -> None:
    workflow = registry.workflow(name="w")(lambda: None)

    def first_id(name: str, **options: Any) -> str:
        with MortalEngine(tmp_path / name, registry=registry, **options) as engine:
            return engine.start_workflow(workflow).workflow_id

    assert first_id("a", seed=7) == first_id("b", seed=7) != first_id("c", seed=8)
    clock = VirtualClock()
    assert first_id("d", clock=clock) != first_id("d", clock=clock)


def test_a_fake_does_what_a_service_does_with_keys() -> None:
    bank = Fake("bank", charge=lambda cents, to="": f"receipt {cents}", fail=lambda: 1 / 0)
    assert [bank.charge(1), bank.charge(1)] == ["receipt 1", "receipt 1"]
    assert [bank.charge(2, idempotency_key="k"), bank.charge(3, idempotency_key="k")] == ["receipt 2", "receipt 2"]
    with pytest.raises(ZeroDivisionError):
        bank.fail()
    bank.charge(4, to="me")
    assert bank.happened() == {"bank.charge(1)": 2, "bank.charge(2)": 1, "bank.charge(4, to='me')": 1}
    assert [call.happened for call in bank.calls("charge")] == [True, True, True, False, True]
    bank.reset()
    assert bank.calls() == []
    with pytest.raises(AttributeError, match=r"no 'refund': Fake\('bank', refund=\.\.\.\)"):
        bank.refund(1)
    with pytest.raises(TypeError, match="idempotency_key is a text, not 7"):
        bank.charge(1, idempotency_key=7)


def test_a_fake_may_be_awaited_and_name_its_key_otherwise() -> None:
    async def charge(cents: int) -> int:
        await asyncio.sleep(0)
        return cents

    bank = Fake("bank", key_argument="token", charge=charge)

    async def main() -> list[int]:
        return [await bank.charge(1, token="a"), await bank.charge(2, token="a"), await bank.charge(3)]  # noqa: S106 - no secret

    assert asyncio.run(main()) == [1, 1, 3]
    assert sum(bank.happened().values()) == 2
