"""What users call: their workflow, recovered from whatever a cut of the power leaves on the disk."""

from typing import Any

import pytest

import litewf
from litewf.store import database
from litewf.testing import CrashTestFailure, Fake, power_loss_everywhere


def _shop(bank: Fake, *, key: bool) -> Any:
    registry = litewf.Registry()

    @registry.step(name="charge")
    def charge(cents: int) -> Any:
        return bank.charge(cents, idempotency_key=litewf.idempotency_key()) if key else bank.charge(cents)

    @registry.step
    def ship(receipt: str) -> str:
        return f"shipped for {receipt}"

    @registry.workflow(name="order")
    def order(cents: int) -> str:
        receipt = charge(cents)
        litewf.sleep(3600)
        litewf.set_event("paid", receipt)
        return ship(receipt)

    return order


def _bank() -> Fake:
    return Fake("bank", charge=lambda cents: f"receipt {cents}")


def test_a_careful_workflow_survives_every_cut() -> None:
    bank = _bank()
    report = power_loss_everywhere(_shop(bank, key=True), 4900, effects=[bank], most=80)
    assert report.deaths == report.cuts.total() > 60
    assert len(report.cuts) > 3
    assert report.forgotten == 0
    assert "order recovered from" in str(report)


def test_a_double_charge_is_found_with_the_step_and_the_line_that_replays_it() -> None:
    bank = _bank()
    order = _shop(bank, key=False)
    with pytest.raises(CrashTestFailure, match=r"`charge` ran twice .*idempotency_key") as failure:
        power_loss_everywhere(order, 4900, effects=[bank], most=80)
    line = next(line for line in str(failure.value).splitlines() if "replay:" in line)
    assert "replay: power_loss_everywhere(order, ..., at=" in line
    at = line.split('at="')[1].partition('"')[0]
    with pytest.raises(CrashTestFailure, match="charge"):
        power_loss_everywhere(order, 4900, effects=[bank], at=at)


def test_what_happens_from_outside_begins_anew_after_a_cut() -> None:
    registry = litewf.Registry()

    @registry.workflow
    def greet() -> str:
        return f"hello {litewf.recv()}"

    report = power_loss_everywhere(
        greet, drive=lambda outside, handle: outside.send(handle.workflow_id, "you"), most=40
    )
    assert report.deaths == 40


def test_a_commit_that_is_gone_is_a_failure_unless_durability_is_normal(monkeypatch: pytest.MonkeyPatch) -> None:
    bank = _bank()
    order = _shop(bank, key=True)
    report = power_loss_everywhere(order, 4900, effects=[bank], durability="normal", most=60)
    assert report.forgotten > 0
    monkeypatch.setitem(database.SYNCHRONOUS, "full", 1)
    with pytest.raises(CrashTestFailure, match="commits that had returned are gone"):
        power_loss_everywhere(order, 4900, effects=[bank], most=60)
