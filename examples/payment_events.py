"""A checkout that talks: it shows where to pay, waits for the payment as long as agreed, and tells what it does.

as_type= with a dataclass needs the extra `models`: pip install 'litewf[models]'
"""

from dataclasses import dataclass

import litewf


@dataclass
class Payment:
    status: str
    cents: int


@litewf.step
def create_payment(sku: str) -> str:
    return f"https://pay.example/{sku.replace(' ', '-')}"


@litewf.step
def ship(sku: str) -> str:
    return f"{sku} shipped"


@litewf.workflow
def checkout(sku: str, cents: int, patience: float) -> str:
    litewf.write_stream("log", f"{sku} ordered")  # a stream keeps every value
    litewf.set_event("progress", 0)  # an event keeps the last one
    url = create_payment(sku)
    litewf.set_event("progress", 50)
    litewf.set_event("payment_url", url)
    try:
        payment = litewf.recv("payment_status", timeout=patience, as_type=Payment)  # holds no thread while it waits
    except litewf.WaitTimeoutError:
        litewf.write_stream("log", "nobody paid")
        litewf.set_event("progress", "given up")
        return f"{sku} goes back to the shelf"
    if payment != Payment("completed", cents):
        litewf.write_stream("log", f"payment {payment.status} over {payment.cents} cents")
        litewf.set_event("progress", "refused")
        return f"{sku} stays here"
    litewf.write_stream("log", f"paid {payment.cents} cents")
    result = ship(sku)
    litewf.set_event("progress", 100)
    return result


def sell(engine: litewf.Engine, sku: str, payment: Payment | None, patience: float) -> None:
    """What the web pages do: one starts the workflow and redirects, one is told by the bank, one shows the log."""
    handle = engine.start_workflow(checkout, sku, 4_900, patience)
    order = handle.workflow_id
    url = engine.get_event(order, "payment_url", timeout=30, as_type=str)  # waits until the workflow has set it
    print(f"{sku}: pay at {url}")
    if payment is not None:
        print(f"  half way: {engine.get_event(order, 'progress', as_type=int)} %")
        engine.send(order, payment, topic="payment_status", idempotency_key="bank-1")
        engine.send(order, payment, topic="payment_status", idempotency_key="bank-1")  # banks repeat themselves
    for line in engine.read_stream(order, "log", as_type=str):  # as it comes, to the end of the workflow
        print(f"  log: {line}")
    print(f"  {handle.get_result()}, progress: {engine.get_all_events(order)['progress']}")


if __name__ == "__main__":
    with litewf.Engine("payment_events.db") as engine:
        sell(engine, "espresso machine", Payment("completed", 4_900), patience=300)
        sell(engine, "grinder", Payment("failed", 0), patience=300)
        sell(engine, "milk jug", None, patience=0.4)
