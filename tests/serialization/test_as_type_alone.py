"""as_type= in a program without pydantic: what needs it is refused at the call, before anything is consumed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from litewf.errors import PayloadError, UsageError
from litewf.serialization import conversion
from litewf.serialization.conversion import PLAIN

ROOT = Path(__file__).parents[2]

PROGRAM = """
import sys
sys.modules["pydantic"] = None
from dataclasses import dataclass
import litewf

@dataclass
class Payment:
    cents: int

def refused(call, *what, **more):
    try:
        call(*what, as_type=Payment, **more)
    except litewf.UsageError as error:
        return str(error)
    raise AssertionError("it was taken")

@litewf.workflow
def checkout():
    said = [refused(litewf.recv, "paid", timeout=60), refused(litewf.wait_event, "paid", timeout=60)]
    return [*said, litewf.recv("paid"), litewf.recv("paid", as_type=int), litewf.wait_event("paid").data]

with litewf.Engine("shop.db") as engine:
    handle = engine.start_workflow(checkout.with_options(workflow_id="order-1"))
    engine.publish_event("paid", {"cents": 1})
    engine.send("order-1", {"cents": 2}, topic="paid")
    engine.send("order-1", 3, topic="paid")
    said = [refused(engine.get_event, "order-1", "url", timeout=60), refused(engine.read_stream, "order-1", "log")]
    *more, first, second, third = handle.get_result(timeout=60)
    assert (first, second, third) == ({"cents": 2}, 3, {"cents": 1}), (first, second, third)
    assert all("pip install 'litewf[models]'" in one for one in said + more), said + more
"""


def test_what_needs_pydantic_is_refused_at_the_call_and_nothing_is_consumed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=60, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)


def uncached(as_type):
    """Another test may have asked for the same while pydantic was there."""
    return conversion._converter.__wrapped__(as_type)


VALUES = [True, 7, 1.5, "seven", None, b"7", [7], {"a": 7}, (7,), {7}, frozenset((7,))]


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("as_type", sorted(PLAIN, key=repr), ids=lambda as_type: as_type.__name__)
def test_plain_classes_need_no_library(as_type) -> None:
    convert = uncached(as_type)
    for value in VALUES:
        if type(value) is as_type or as_type is object:
            assert convert(value) is value
        elif as_type is float and type(value) is int:
            assert repr(convert(value)) == "7.0"
        else:
            with pytest.raises(PayloadError, match=f"does not fit {as_type.__name__}: it is {type(value).__name__}"):
                convert(value)


class Unknown:
    """A class that no library knows."""


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("as_type", [Unknown, dict[str, int], int | None, "Payment"])
def test_everything_else_is_refused_with_what_to_install(as_type) -> None:
    with pytest.raises(UsageError, match=r"pip install 'litewf\[models\]'"):
        uncached(as_type)
