"""litewf's messages, events and streams; each function makes one measurement on the file at `path`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

import litewf
from litewf.cli import processes
from litewf.cli.benchmarks import footprint, worker

TALKER = "talker"
BATCH = 1_000

registry = litewf.Registry()
received: SimpleQueue[float] = SimpleQueue()  # when recv returned, by the clock that all processes share
_turns: SimpleQueue[str] = SimpleQueue()  # keys of the events to set
_set_at: dict[str, float] = {}
_waiting = threading.Semaphore(0)


@registry.workflow
def listener(messages: int) -> None:
    for _ in range(messages):
        litewf.recv()
        received.put(time.monotonic())


@registry.workflow
def announcer(events: int) -> None:
    for _ in range(events):
        announce_next()


@registry.step
def announce_next() -> None:
    """Set the event that is asked for next; inside a step it commits at once, as in a workflow."""
    key = _turns.get()
    _set_at[key] = time.monotonic()
    litewf.set_event(key, True)


@registry.workflow
def writer(values: int) -> None:
    for value in range(values):
        litewf.write_stream("values", value)


@registry.workflow
async def writer_async(values: int) -> None:
    for value in range(values):
        await litewf.write_stream_async("values", value)


@registry.workflow
async def parked() -> None:
    _waiting.release()
    await litewf.recv_async()
    received.put(time.monotonic())


# --- latency in one process ---------------------------------------------------------------------------------------


def message(path: Path, messages: int = 200) -> dict[str, float]:
    """From the call of send, outside, until recv has returned in the workflow."""
    with litewf.Engine(path, registry=registry) as engine:
        handle = engine.start_workflow(listener, messages)
        return spread(_sent_and_received(lambda: engine.send(handle.workflow_id, "hello"), messages))


def _sent_and_received(send: Callable[[], None], messages: int) -> Iterator[float]:
    for _ in range(messages):
        began = time.monotonic()
        send()
        yield received.get() - began


def event(path: Path, events: int = 200) -> dict[str, float]:
    """From the call of set_event until a get_event that waits for it, outside, has returned."""
    with litewf.Engine(path, registry=registry) as engine:
        engine.start_workflow(announcer.with_options(workflow_id=TALKER), events)
        return spread(_awaited_events(engine, events, _turns.put))


def _awaited_events(
    reader: litewf.Engine | litewf.Client, events: int, ask_for: Callable[[str], None]
) -> Iterator[float]:
    for number in range(events):
        key = f"event-{number}"
        answer: SimpleQueue[float] = SimpleQueue()

        def wait(key: str = key, answer: SimpleQueue[float] = answer) -> None:
            reader.get_event(TALKER, key)
            answer.put(time.monotonic())

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.005)  # so that it waits before the event is set: nothing tells from outside that it does
        ask_for(key)
        yield answer.get() - _set_at[key]
        waiting.join()


def spread(latencies: Iterator[float]) -> dict[str, float]:
    """The median and the 99th percentile, in milliseconds; the first ones warm up."""
    milliseconds = sorted(1_000 * latency for latency in list(latencies)[2:])
    return {"p50_ms": statistics.median(milliseconds), "p99_ms": milliseconds[int(len(milliseconds) * 0.99)]}


# --- latency across two processes ---------------------------------------------------------------------------------


def message_across(path: Path, messages: int = 100) -> dict[str, float]:
    """The same, when another process sends."""
    with litewf.Engine(path, registry=registry) as engine:
        engine.start_workflow(listener.with_options(workflow_id=TALKER), messages)
        with other_process(__name__, "send_on_demand", path) as ask:
            return spread(received.get() - began for began in (ask("") for _ in range(messages)))


def send_on_demand(path: Path) -> dict[str, float]:
    """Send a message for each line of the standard input, and print when."""
    with litewf.Client(path, registry=registry) as client:
        for _ in asked():
            began = time.monotonic()
            client.send(TALKER, "hello")
            answer(began)
    return {}


def event_across(path: Path, events: int = 100) -> dict[str, float]:
    """The same, when another process waits for the event."""
    with litewf.Engine(path, registry=registry) as engine:
        engine.start_workflow(announcer.with_options(workflow_id=TALKER), events)
        with other_process(__name__, "get_on_demand", path) as ask:
            return spread(_set_for_others(ask, events))


def _set_for_others(ask: Callable[[str], float], events: int) -> Iterator[float]:
    for number in range(events):
        key = f"event-{number}"
        threading.Timer(0.05, _turns.put, (key,)).start()  # the other process waits by then
        yield ask(key) - _set_at[key]


def get_on_demand(path: Path) -> dict[str, float]:
    """Wait for the event that each line of the standard input names, and print when it came."""
    with litewf.Client(path, registry=registry) as client:
        for key in asked():
            client.get_event(TALKER, key)
            answer(time.monotonic())
    return {}


@contextmanager
def other_process(module: str, function: str, path: Path, **sizes: int) -> Iterator[Callable[[str], float]]:
    """A process that answers each line that it is sent with a time."""
    with subprocess.Popen(  # noqa: S603 - this very program's own modules
        worker.command(module, function, path, sizes),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=processes.environment(),
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        lines, replies = child.stdin, child.stdout

        def ask(line: str) -> float:
            lines.write(line + "\n")
            lines.flush()
            return float(replies.readline())

        yield ask
        lines.close()
        replies.read()  # to its end, or the other process could not end in peace


def asked() -> Iterator[str]:
    """The lines of the standard input, as they come."""
    for line in sys.stdin:
        yield line.strip()


def answer(when: float) -> None:
    print(when, flush=True)  # noqa: T201 - the protocol between the two processes


# --- throughput ---------------------------------------------------------------------------------------------------


def stream(path: Path, values: int = 2_000) -> dict[str, float]:
    """Values a second that one workflow writes to a stream."""
    with litewf.Engine(path, registry=registry) as engine:
        began = time.perf_counter()
        engine.run_workflow(writer, values)
        return _rate(values, time.perf_counter() - began)


def streams(path: Path, workflows: int = 100, values: int = 250) -> dict[str, float]:
    """Values a second that many async workflows write, each to a stream of its own."""
    with litewf.Engine(path, registry=registry) as engine:
        began = time.perf_counter()
        for handle in engine.start_workflows([(writer_async, values)] * workflows):
            handle.get_result()
        return _rate(workflows * values, time.perf_counter() - began)


def _rate(values: int, seconds: float) -> dict[str, float]:
    return {"rate": values / seconds, "seconds": seconds, "values": values}


# --- parked -------------------------------------------------------------------------------------------------------


def parked_in_recv(
    path: Path, workflows: int = 100_000, warm_up: int = 50_000, rest: int = 10, wakes: int = 50
) -> dict[str, float]:
    """What waiting for a message costs, and how soon one send wakes one of them."""
    with litewf.Engine(path, registry=registry) as engine:
        _park(engine, warm_up)
        before = footprint.settled()
        last = _park(engine, workflows)
        figures = footprint.at_rest(before, workflows, rest)
        waking = spread(_woken(engine, last[:wakes]))
        return {**figures, "wake_ms": waking["p50_ms"]}


def _park(engine: litewf.Engine, workflows: int) -> list[str]:
    ids: list[str] = []
    for _ in range(workflows // BATCH):
        ids = [handle.workflow_id for handle in engine.start_workflows([(parked,)] * BATCH)]
        for _ in range(BATCH):
            _waiting.acquire()
    return ids


def _woken(engine: litewf.Engine, ids: list[str]) -> Iterator[float]:
    for workflow_id in ids:
        began = time.monotonic()
        engine.send(workflow_id, "wake up")
        yield received.get() - began
