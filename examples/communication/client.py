"""Talks to server.py over HTTP, with the standard library alone: `python client.py [http://localhost:8000]`."""

import json
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

URL = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000"


def call(path: str, body: object = None, *, post: bool = False) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(URL + path, data, headers, method="POST" if post else "GET")) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


def live(workflow_id: str) -> Iterator[dict[str, Any]]:
    """The values of a stream while they come; the route says what there is, so it is asked again and again."""
    seen = 0
    while True:
        values = call(f"/workflow-stream/{workflow_id}")["stream_values"]
        yield from values[seen:]
        seen = len(values)
        if values and values[-1]["type"] == "complete":
            return
        time.sleep(0.1)


def events() -> None:
    print(call("/start-workflow-events/client-events/3", post=True)["message"])
    result = call("/workflow-events/client-events/result?timeout=60")["value"]  # answered when it is there
    print(f"{result['total_steps']} steps, {result['total_fibonacci']} in all")
    for key, value in sorted(call("/workflow-events/client-events/all")["events"].items()):
        print(f"  {key}: {value}")


def messages() -> None:
    for workflow_id, answer in (
        ("client-yes", {"approved": True, "message": "looks fine"}),
        ("client-no", {"approved": False, "reason": "too dear"}),
    ):
        print(call(f"/start-workflow-messaging/{workflow_id}/2", post=True)["message"])
        call(f"/send-message/{workflow_id}", answer, post=True)
        while (found := call(f"/workflow-status/{workflow_id}"))["status"] == "PENDING":
            time.sleep(0.1)
        print(f"  {workflow_id}: {found['output']}")


def stream() -> None:
    print(call("/start-workflow-streaming/client-stream/2", post=True)["message"])
    for value in live("client-stream"):
        print(f"  {value['type']}: {value.get('message') or value['result']}")


if __name__ == "__main__":
    events()
    messages()
    stream()
