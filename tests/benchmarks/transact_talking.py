"""The peer's messages, events and streams, driven through its public interface; see transact.py."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from dbos import DBOS, DBOSClient

from litewf.cli.benchmarks.talking import answer, asked, other_process, spread
from tests.benchmarks.transact import configured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOR_EVER: Final = 1_000_000.0

received: SimpleQueue[float] = SimpleQueue()
_turns: SimpleQueue[str] = SimpleQueue()
_set_at: dict[str, float] = {}


@DBOS.workflow()
def listener(messages: int) -> None:
    for _ in range(messages):
        DBOS.recv(timeout_seconds=FOR_EVER)
        received.put(time.monotonic())


@DBOS.workflow()
def announcer(events: int) -> None:
    for _ in range(events):
        announce_next()


@DBOS.step()
def announce_next() -> None:
    key = _turns.get()
    _set_at[key] = time.monotonic()
    DBOS.set_event(key, True)


@DBOS.workflow()
def writer(values: int) -> None:
    for value in range(values):
        DBOS.write_stream("values", value)


def message(path: Path, messages: int = 10, wal: int = 0) -> dict[str, float]:
    """From the call of send, outside, until recv has returned in the workflow."""
    with configured(path, wal):
        DBOS.launch()
        handle = DBOS.start_workflow(listener, messages)
        return spread(_sent_and_received(lambda: DBOS.send(handle.workflow_id, "hello"), messages))


def _sent_and_received(send: Callable[[], None], messages: int) -> Iterator[float]:
    for _ in range(messages):
        began = time.monotonic()
        send()
        yield received.get() - began


def event(path: Path, events: int = 10, wal: int = 0) -> dict[str, float]:
    """From the call of set_event until a get_event that waits for it, outside, has returned."""
    with configured(path, wal):
        DBOS.launch()
        handle = DBOS.start_workflow(announcer, events)
        return spread(_awaited_events(handle.workflow_id, events))


def _awaited_events(workflow_id: str, events: int) -> Iterator[float]:
    for number in range(events):
        key = f"event-{number}"
        came: SimpleQueue[float] = SimpleQueue()

        def wait(key: str = key, came: SimpleQueue[float] = came) -> None:
            DBOS.get_event(workflow_id, key, FOR_EVER)
            came.put(time.monotonic())

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.05)  # so that it waits before the event is set
        _turns.put(key)
        yield came.get() - _set_at[key]
        waiting.join()


def message_across(path: Path, messages: int = 10, wal: int = 0) -> dict[str, float]:
    """The same, when another process sends."""
    with configured(path, wal):
        DBOS.launch()
        handle = DBOS.start_workflow(listener, messages)
        with other_process(__name__, "send_on_demand", path) as ask:
            return spread(received.get() - began for began in (ask(handle.workflow_id) for _ in range(messages)))


def send_on_demand(path: Path) -> dict[str, float]:
    """Send a message to the workflow that each line of the standard input names, and print when."""
    client = DBOSClient(system_database_url=f"sqlite:///{path}")
    for workflow_id in asked():
        began = time.monotonic()
        client.send(workflow_id, "hello")
        answer(began)
    return {}


def event_across(path: Path, events: int = 10, wal: int = 0) -> dict[str, float]:
    """The same, when another process waits for the event."""
    with configured(path, wal):
        DBOS.launch()
        handle = DBOS.start_workflow(announcer, events)
        with other_process(__name__, "get_on_demand", path) as ask:
            return spread(_set_for_others(ask, handle.workflow_id, events))


def _set_for_others(ask: Callable[[str], float], workflow_id: str, events: int) -> Iterator[float]:
    for number in range(events):
        key = f"event-{number}"
        threading.Timer(0.05, _turns.put, (key,)).start()
        yield ask(f"{workflow_id} {key}") - _set_at[key]


def get_on_demand(path: Path) -> dict[str, float]:
    """Wait for the event that each line of the standard input names, and print when it came."""
    client = DBOSClient(system_database_url=f"sqlite:///{path}")
    for line in asked():
        workflow_id, key = line.split()
        client.get_event(workflow_id, key, FOR_EVER)
        answer(time.monotonic())
    return {}


def stream(path: Path, values: int = 300, wal: int = 0) -> dict[str, float]:
    """Values a second that one workflow writes to a stream."""
    with configured(path, wal):
        DBOS.launch()
        began = time.perf_counter()
        DBOS.start_workflow(writer, values).get_result()
        seconds = time.perf_counter() - began
        return {"rate": values / seconds, "seconds": seconds, "values": values}
