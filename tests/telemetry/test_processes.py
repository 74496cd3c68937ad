"""One trace over processes and a kill: the file carries the context that no process keeps."""

import json
import os
import subprocess
import sys
from pathlib import Path

import litewf

ROOT = Path(__file__).parents[2]
WORKER = """
import sys, threading
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
import litewf
from litewf.telemetry import instrument
from tests.telemetry.test_processes import define

tracers = TracerProvider(shutdown_on_exit=False)
tracers.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: span.to_json(None) + "\\n")))
registry = litewf.Registry()
define(registry, "the worker dies here")
instrument(litewf.Engine(sys.argv[1], registry=registry), tracer_provider=tracers).launch()
threading.Event().wait()
"""


def define(registry, death=None):
    litewf.Queue("orders", registry=registry)

    @registry.step(name="reserve")
    def reserve():
        pass

    @registry.step(name="charge")
    def charge():
        if death is not None:
            print(flush=True)
            os.kill(os.getpid(), 9)

    @registry.workflow(name="pack")
    def pack():
        return litewf.recv("label", timeout=20)

    @registry.workflow(name="order")
    def order():
        reserve()
        charge()
        child = litewf.start_workflow(pack.with_options(workflow_id="parcel"))
        litewf.send("parcel", "to Ada", topic="label")
        return child.get_result()


def test_one_trace_from_the_enqueue_over_a_killed_worker_to_the_last_message(path, registry, scope):
    define(registry)
    litewf.Engine(path, registry=registry).__enter__().shutdown()
    with scope.instrument(litewf.Client(path, registry=registry)) as client:
        client.enqueue("orders", "order")
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(path)], env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == -9
    of_worker = [json.loads(line) for line in done.stdout.decode().splitlines() if line.strip()]
    with scope.instrument(litewf.Engine(path, registry=registry, linger=0)) as engine:
        (order,) = engine.list_workflows(name="order")
        assert engine.retrieve_workflow(order.workflow_id).get_result(timeout=20) == "to Ada"

    start = scope.span("start order")
    trace_id = f"0x{start.context.trace_id:032x}"
    assert [span["name"] for span in of_worker] == ["queue orders", "step reserve"], "what the dead worker exported"
    assert {span["context"]["trace_id"] for span in of_worker} == {trace_id}
    spans = scope.spans()
    assert {span.context.trace_id for span in spans} == {start.context.trace_id}
    assert [span.name for span in spans if span.name.startswith("step")] == ["step charge"], "reserve is replayed"
    assert scope.spans("queue") == [], "it had its turn in the other process"
    recovered = scope.spans("workflow order")
    assert recovered[0].attributes["litewf.workflow.recorded_steps"] == 1
    assert {run.parent.span_id for run in recovered} == {start.context.span_id}
    (received,) = scope.spans("receive label")
    assert received.links[0].context.span_id in {run.context.span_id for run in recovered}
