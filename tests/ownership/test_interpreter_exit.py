"""The interpreter never hangs at its end, whatever an engine was doing, and nothing is lost."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import program
import pytest
from children import Spawn

import litewf

LEFT_OPEN = """
import program
engine = litewf.Engine(path, registry=program.registry, linger=LINGER)
engine.launch()
"""
DOINGS = {
    "nothing": "",
    "asleep": "engine.start_workflow(program.asleep.with_options(workflow_id='w'), 3600.0)\n",
    "a step that is blocked": """
engine.start_workflow(program.gated.with_options(workflow_id='w'), path + '.ledger', 'w', path + '.gate')
while not os.path.exists(path + '.ledger'): time.sleep(0.002)
""",
    "much work": """
for number in range(20):
    engine.start_workflow(program.endless.with_options(workflow_id=f'w{number}'), path + '.ledger', 'w')
while not os.path.exists(path + '.ledger'): time.sleep(0.002)
""",
    "an async step that ignores its cancellation": """
engine.start_workflow(program.stubborn.with_options(workflow_id='w'), path + '.ledger')
while not os.path.exists(path + '.ledger'): time.sleep(0.002)
""",
    "a waiting thread": """
handle = engine.start_workflow(program.asleep.with_options(workflow_id='w'), 3600.0)
def wait():
    try: handle.get_result()
    except litewf.EngineClosedError: pass
threading.Thread(target=wait, daemon=True).start()
""",
}
ENDS = {
    "the end of the program": "",
    "sys.exit": "sys.exit(0)\n",
    "an exception": "raise SystemExit(0)\n",
    "an atexit handler": "import atexit; atexit.register(engine.shutdown, timeout=0.2)\n",
    "an atexit handler, twice": (
        "import atexit; atexit.register(engine.shutdown, timeout=0.2); atexit.register(engine.shutdown, timeout=0.2)\n"
    ),
    "a handler of SIGTERM": (
        "def stop(*_):\n    engine.shutdown(timeout=0.2)\n    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop); os.kill(os.getpid(), signal.SIGTERM); time.sleep(10)\n"
    ),
}


def pairs() -> Iterator[object]:
    """All of them; each way to end with one thing to do, and each thing to do with one way to end, for every change."""
    for doing, end in itertools.product(DOINGS, ENDS):
        often = doing == "a step that is blocked" or end == "the end of the program"
        yield pytest.param(doing, end, marks=() if often else pytest.mark.nightly)


@pytest.mark.parametrize(("doing", "end"), list(pairs()))
def test_the_interpreter_ends_at_once(spawn: Spawn, path: Path, doing: str, end: str) -> None:
    child = spawn(LEFT_OPEN.replace("LINGER", "0.2") + DOINGS[doing] + ENDS[end])
    began = time.monotonic()
    status, _, errors = child.end(timeout=10)
    assert status == 0, errors
    assert "Traceback" not in errors
    assert "Fatal" not in errors
    assert time.monotonic() - began < 6
    with litewf.Engine(path, registry=litewf.Registry()) as engine:
        assert all(flow.status == "PENDING" for flow in engine.list_workflows())


WITH = """
import program
with litewf.Engine(path, registry=program.registry) as engine:
    engine.start_workflow(program.asleep.with_options(workflow_id='w'), 0.05)
    EXIT
"""


@pytest.mark.parametrize("leaving", ["sys.exit(3)", "raise KeyboardInterrupt", "1 / 0"])
def test_leaving_the_with_block_in_a_hurry_shuts_the_engine_down(spawn: Spawn, path: Path, leaving: str) -> None:
    child = spawn(WITH.replace("EXIT", leaving))
    status, _, _ = child.end(timeout=10)
    assert status != 0
    with litewf.Engine(path, registry=program.registry) as engine:
        handle = engine.retrieve_workflow("w")
        assert handle.get_result(timeout=20) == "awake"
        assert handle.get_status().attempts == 1


def test_an_engine_that_nobody_keeps_a_reference_to_does_no_harm(spawn: Spawn) -> None:
    child = spawn(
        "import gc, program\n"
        "def run():\n"
        "    engine = litewf.Engine(path, registry=program.registry)\n"
        "    engine.launch()\n"
        "    return engine.start_workflow(program.asleep, 0.05)\n"
        "handle = run()\n"
        "gc.collect()\n"
        "say(handle.get_result(timeout=20))\n"
    )
    status, output, errors = child.end(timeout=10)
    assert (status, output) == (0, "awake\n"), errors
