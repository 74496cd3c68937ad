"""`litewf run --telemetry`: a worker whose module brings the providers."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import litewf

ROOT = Path(__file__).parents[2]
SHOP = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
import litewf

tracers = TracerProvider(shutdown_on_exit=False)
tracers.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=lambda span: f"SPAN {span.name}\\n")))
trace.set_tracer_provider(tracers)


@litewf.workflow
def order() -> str:
    return litewf.run_step(str.upper, "packed")
"""


def test_a_worker_of_the_command_line_gives_spans_to_the_providers_of_its_module(tmp_path):
    (tmp_path / "shop.py").write_text(SHOP)
    worker = subprocess.Popen(
        [sys.executable, "-m", "litewf", "run", "shop", "--db", "shop.db", "--telemetry"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        assert "litewf runs shop" in worker.stdout.readline()
        with litewf.Client(tmp_path / "shop.db") as client:
            assert client.enqueue("parcels", "order").get_result(timeout=20) == "PACKED"
        worker.send_signal(signal.SIGTERM)
        output, _ = worker.communicate(timeout=20)
    finally:
        worker.kill()
        worker.communicate()
    spans = [line.removeprefix("SPAN ") for line in output.splitlines() if line.startswith("SPAN ")]
    assert spans == ["queue parcels", "step str.upper", "workflow order"]
