"""Workflows that wait for the world outside: events that come over HTTP, timers, people who take their time.

It needs the extras `web` and, for as_type=, `models`: pip install 'litewf[models,web]'
"""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import uvicorn

import litewf
from litewf.web import asgi_app

MINUTE = 0.5  # seconds, for the impatient; 60 in earnest
HOUR = 60 * MINUTE


@dataclass
class PaymentCompleted:
    order_id: str
    transaction_id: str
    amount: float


@litewf.step
def start_payment(order_id: str) -> str:
    return f"PAY-{order_id}"


@litewf.workflow
def payment(order_id: str) -> dict[str, object]:
    payment_id = start_payment(order_id)
    event = litewf.wait_event(  # while it waits, the workflow is a row in the file: no thread, no memory
        "payment.completed", where={"order_id": order_id}, timeout=5 * MINUTE, as_type=PaymentCompleted
    )
    return {"payment": payment_id, "transaction": event.data.transaction_id, "amount": event.data.amount}


@litewf.step
def is_paid(order_id: str) -> bool:
    return order_id == "ORD-123"  # the bank knows of no other


@litewf.workflow
def order_with_timeout(order_id: str) -> str:
    litewf.sleep(1 * MINUTE)
    return f"{order_id} completed" if is_paid(order_id) else f"{order_id} cancelled: payment timeout"


@litewf.step
def pay_out(application_id: str, approved_by: str) -> str:
    return f"{application_id} paid out, approved by {approved_by}"


@litewf.workflow
def loan_approval(application_id: str, patience: float) -> str:
    try:
        event = litewf.wait_event("loan.approved", subject=application_id, timeout=patience, as_type=dict[str, str])
    except litewf.WaitTimeoutError:
        return f"{application_id} expired"
    return pay_out(application_id, event.data["by"])


@litewf.workflow
def order_fulfilment(order_id: str) -> list[str]:
    stations = ("order.packed", "order.picked_up", "order.delivered")
    return [litewf.wait_event(station, subject=order_id, as_type=object).source for station in stations]


@contextmanager
def serving(engine: litewf.Engine) -> Iterator[str]:
    """The engine over HTTP on a free port. In earnest: `uvicorn.run(asgi_app(engine))`."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(asgi_app(engine), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/events"
        finally:
            server.should_exit = True
            thread.join()


def post(url: str, *events: dict[str, Any]) -> None:
    """Send CloudEvents in one request: all of them are accepted, and on disk, or none."""
    body = json.dumps([{"specversion": "1.0", **event} for event in events]).encode()
    with urlopen(Request(url, body, {"Content-Type": "application/cloudevents-batch+json"})) as reply:
        print(f"{', '.join(event['type'] for event in events)}: {reply.status} {json.load(reply)['status']}")


def tell_everyone(url: str) -> None:
    paid = {"order_id": "ORD-123", "transaction_id": "TXN-456", "amount": 99.99}
    post(url, {"type": "payment.completed", "source": "bank", "id": "1", "data": {**paid, "order_id": "ORD-999"}})
    for _ in range(2):  # banks repeat themselves: the same source and id counts once
        post(url, {"type": "payment.completed", "source": "bank", "id": "2", "data": paid})
    post(url, {"type": "loan.approved", "source": "office", "id": "7", "subject": "LOAN-1", "data": {"by": "Ada"}})
    stations = {"order.packed": "warehouse", "order.picked_up": "carrier", "order.delivered": "customer"}
    post(url, *({"type": t, "source": s, "id": "ORD-123", "subject": "ORD-123"} for t, s in stations.items()))


if __name__ == "__main__":
    with litewf.Engine("event_waiting.db") as engine, serving(engine) as url:
        runs: list[litewf.WorkflowHandle[Any]] = [
            engine.start_workflow(payment.with_options(workflow_id="payment"), "ORD-123"),
            engine.start_workflow(loan_approval.with_options(workflow_id="loan-1"), "LOAN-1", 48 * HOUR),
            engine.start_workflow(loan_approval.with_options(workflow_id="loan-2"), "LOAN-2", 1 * MINUTE),
            engine.start_workflow(order_fulfilment.with_options(workflow_id="fulfilment"), "ORD-123"),
            engine.start_workflow(order_with_timeout.with_options(workflow_id="order"), "ORD-456"),
        ]
        tell_everyone(url)
        for run in runs:
            print(f"{run.workflow_id}: {run.get_result()}")
