"""`CrashMachine` as its users subclass it."""

import traceback
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, FlakyStrategyDefinition
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

import litewf
from litewf.testing.machine import UNKNOWN, CrashMachine

FEW = settings(
    max_examples=8, stateful_step_count=12, derandomize=True, database=None, deadline=None, report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck), phases=[Phase.generate], print_blob=False,
)  # fmt: skip


class Shop:
    """Orders that are paid for with a card."""

    def __init__(self, *, careful: bool) -> None:
        self.charges: Counter[str] = Counter()
        self.registry = litewf.Registry()

        @self.registry.step(name="charge")
        def charge(order: int) -> None:
            key = litewf.idempotency_key() if careful else f"{order}, charge {sum(self.charges.values())}"
            self.charges[key] = 1

        @self.registry.workflow(name="checkout")
        def checkout(order: int) -> str:
            charge(order)
            litewf.sleep(60)
            return f"order {order}"

        self.checkout = checkout

    def charged(self, order: int) -> int:
        return sum(key.startswith((f"order-{order}:", f"{order}, ")) for key in self.charges)


def machine_of(*, careful: bool) -> type[CrashMachine]:
    class ShopMachine(CrashMachine):
        def __init__(self) -> None:
            self.shop = Shop(careful=careful)
            self.registry = self.shop.registry
            self.accepted: set[int] = set()
            super().__init__()

        @rule(order=st.integers(1, 3))
        def order(self, order: int) -> None:
            handle = UNKNOWN
            while handle is UNKNOWN:  # with the same id it is safe to ask again
                handle = self.start(self.shop.checkout, order, workflow_id=f"order-{order}")
            self.accepted.add(order)

        @invariant()
        def nobody_pays_twice(self) -> None:
            assert all(self.shop.charged(order) <= 1 for order in range(1, 4)), f"somebody pays twice: {self.repeats}"

        @invariant()
        def what_was_accepted_is_there(self) -> None:
            there = {status.workflow_id for status in self.engine.list_workflows()}
            assert {f"order-{order}" for order in self.accepted} <= there

    return ShopMachine


def test_a_careful_workflow_passes():
    run_state_machine_as_test(machine_of(careful=True), settings=FEW)


def test_a_workflow_that_charges_twice_after_a_crash_is_found_with_the_steps_that_show_it():
    many = settings(FEW, max_examples=2000)  # it takes 50 on average
    for _ in range(5):
        with pytest.raises((AssertionError, Flaky)) as caught:  # a thread may be slower the second time
            run_state_machine_as_test(machine_of(careful=False), settings=many)
        if not isinstance(caught.value, FlakyStrategyDefinition):  # which tells no steps: it did not come as far again
            break
    told = "".join(traceback.format_exception(caught.value))
    assert "somebody pays twice" in told
    assert "name='charge', when='after the call and before the checkpoint'" in told
    assert "state.order(order=" in told
    assert "killed" in told


def test_an_act_that_was_interrupted_is_unknown_and_may_be_repeated():
    machine = machine_of(careful=True)()
    try:
        machine.die_in(1)
        assert machine.start(machine.shop.checkout, 1, workflow_id="order-1") is UNKNOWN
        assert not UNKNOWN
        assert machine.deaths == 1
        machine.start(machine.shop.checkout, 1, workflow_id="order-1")
        machine.settle(61)
        assert machine.engine.retrieve_workflow("order-1").get_result(timeout=0) == "order 1"
        machine.engine.send("order-1", "late")
        assert machine.send("order-1", "later") is None
    finally:
        machine.teardown()


def test_what_is_killed_goes_on_and_time_passes_only_when_it_is_told_to():
    machine = machine_of(careful=True)()
    try:
        handle = machine.start(machine.shop.checkout, 1, workflow_id="order-1")
        machine.settle(59)
        machine.kill()
        machine.die_in(3)
        machine.live_on()
        assert machine.engine.retrieve_workflow(handle.workflow_id).get_status().status == "PENDING"
        machine.settle(1)
        assert machine.engine.retrieve_workflow(handle.workflow_id).get_status().status == "SUCCESS"
        assert machine.deaths == 1
    finally:
        machine.teardown()


def test_who_recovers_may_die_of_it():
    deaths = []
    for points in range(1, 8):
        machine = machine_of(careful=True)()
        try:
            machine.start(machine.shop.checkout, 1, workflow_id="order-1")
            machine.kill(again_in=points)
            machine.settle(60)
            assert machine.engine.retrieve_workflow("order-1").get_result(timeout=0) == "order 1"
            assert machine.shop.charged(1) == 1
            deaths.append(machine.deaths)
        finally:
            machine.teardown()
    assert deaths[0] == 2
    assert set(deaths) <= {1, 2}


def test_several_engines_share_the_file_and_die_one_by_one():
    class Pair(machine_of(careful=True)):
        engines = 2

    machine = Pair()
    try:
        machine.start(machine.shop.checkout, 1, workflow_id="order-1", at=1)
        machine.kill(1)
        machine.settle(60)
        assert machine.engine.retrieve_workflow("order-1").get_result(timeout=0) == "order 1"
        assert len(machine.running) == 2
    finally:
        machine.teardown()
