"""A test that kills a workflow at every point: it finds a double charge, and passes once that is fixed.

pip install 'litewf[testing]'
pytest test_my_workflow.py
"""

import pytest

import litewf
from litewf.testing import (
    CrashTestFailure,
    Fake,
    MortalEngine,
    OutsideWorld,
    VirtualClock,
    assert_waiting,
    crash_everywhere,
)

# What the workflow talks to outside; in your program, monkeypatch the real one. The kit counts what happens to it.
bank = Fake("bank", charge=lambda cents: f"receipt over {cents} cents")


@litewf.step
def reserve(item: str) -> str:
    return f"{item} from shelf 7"


@litewf.step(max_retries=3)
def charge(cents: int) -> str:
    return bank.charge(cents)  # the mistake: the bank cannot tell a second call from a second order


@litewf.step(max_retries=3)
def charge_once(cents: int) -> str:
    return bank.charge(cents, idempotency_key=litewf.idempotency_key())


@litewf.workflow
def careless_checkout(item: str, cents: int) -> str:
    return f"{reserve(item)}, {charge(cents)}"


@litewf.workflow
def checkout(item: str, cents: int) -> str:
    place = reserve(item)
    litewf.recv("address confirmed", timeout=30 * 86400, default=None)
    return f"{place}, {charge_once(cents)}"


def confirm(outside: OutsideWorld, order: litewf.WorkflowHandle[str]) -> None:
    """What happens from outside, while engines die and are launched again."""
    outside.advance(3600)
    outside.send(order.workflow_id, "yes", "address confirmed")


def test_a_double_charge_is_found() -> None:
    what = r"`charge` ran twice when the process died after the call and before the checkpoint"
    with pytest.raises(CrashTestFailure, match=rf"{what}.*: pass idempotency_key\(\)"):
        crash_everywhere(careless_checkout, "grinder", 4900, effects=[bank])


def test_checkout_survives_every_crash() -> None:
    report = crash_everywhere(checkout, "grinder", 4900, effects=[bank], drive=confirm, second_death="sample")
    print(report)  # which step may run twice, and when: shown by `pytest -s`


def test_after_thirty_days_it_goes_on_without_an_answer(engine: MortalEngine, clock: VirtualClock) -> None:
    bank.reset()
    order = engine.start_workflow(checkout, "grinder", 4900)
    assert_waiting(engine, order, "address confirmed")
    began = clock.now
    assert order.get_result() == "grinder from shelf 7, receipt over 4900 cents"  # time jumps while the test waits
    assert (clock.now - began).days == 30
    assert bank.happened() == {"bank.charge(4900)": 1}
