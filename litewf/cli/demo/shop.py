"""The program that is killed: a checkout, as anybody would write it, plus the lines that tell the audience.

Run as `python -m litewf.cli.demo.shop DB LEDGER`. It starts the same order each time; litewf knows what is done.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import litewf
from litewf.cli.demo import ledger
from litewf.cli.demo.channel import say

ORDER_ID = "order-1"
ORDER: dict[str, str | int] = {"sku": "espresso machine", "cents": 24_900}
RESULT = {"payment": "payment-24900", "parcel": "parcel-7", "courier": "pickup-16:00"}
STEPS = ("reserve_stock", "charge_card", "print_label", "sleep", "call_courier", "send_mail")
PAUSE = 2.0  # seconds asleep, durably
WORK = 0.15  # seconds that a body takes, so that it can be seen
GLANCE = 0.05

registry = litewf.Registry()
_ledger = Path()
_ran_here: set[str] = set()


@registry.step
def reserve_stock(sku: str) -> int:
    work("reserve_stock")
    return len(sku)


@registry.step
def charge_card(cents: int) -> str:
    work("charge_card")
    return f"payment-{cents}"


@registry.step
def print_label(payment: str) -> str:
    work("print_label")
    return f"parcel-{payment.count('-') + 6}"


@registry.step
def call_courier(parcel: str) -> str:
    work("call_courier")
    return f"pickup-{'16:00' if parcel else 'never'}"


@registry.step
def send_mail(text: str) -> None:
    work("send_mail")
    assert text


@registry.workflow
def checkout(order: dict[str, str | int]) -> dict[str, str]:
    reserve_stock(str(order["sku"]))
    passed("reserve_stock")
    payment = charge_card(int(order["cents"]))
    passed("charge_card")
    parcel = print_label(payment)
    passed("print_label")
    litewf.sleep(PAUSE)  # while the parcel is packed
    say("woke", "sleep")
    courier = call_courier(parcel)
    passed("call_courier")
    send_mail(f"{parcel} is on its way")
    passed("send_mail")
    return {"payment": payment, "parcel": parcel, "courier": courier}


def work(step: str) -> None:
    """What each body does: leave its line in the ledger, then take a while."""
    ledger.append(_ledger, ledger.Entry(step, os.getpid(), litewf.idempotency_key()))
    _ran_here.add(step)
    say("began", step)
    time.sleep(WORK)


def passed(step: str) -> None:
    """The workflow has the step's result, so it is recorded: from a body that ran here, or from the file."""
    say("ran" if step in _ran_here else "replayed", step)


def main() -> None:
    global _ledger
    db, _ledger = sys.argv[1], Path(sys.argv[2])
    say("launching")
    with litewf.Engine(db, registry=registry) as engine:
        handle = engine.start_workflow(checkout.with_options(workflow_id=ORDER_ID), ORDER)
        say("done", detail=json.dumps(watch(handle)))


def watch(handle: litewf.WorkflowHandle[dict[str, str]]) -> dict[str, str]:
    """Wait for the result; tell when the workflow has left memory to sleep."""
    told = False
    while True:
        try:
            return handle.get_result(timeout=GLANCE)
        except litewf.WaitTimeoutError:
            waiting = handle.get_status().waiting_on
            if waiting and not told:
                told = True
                until = waiting[0].until
                say("asleep", "sleep", "" if until is None else str(until.timestamp()))


if __name__ == "__main__":
    main()
