"""An engine that a test starts when its definitions are there, and starts again to see what recovery makes of them."""

import faulthandler
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import litewf
from litewf.testing import VirtualClock

from .support import Flavor

STUCK_S = 60  # the checker of types, with nothing in its cache, beside other work


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    """A workflow that never ends would block its test for ever: show where, and give up."""
    faulthandler.dump_traceback_later(STUCK_S, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(params=["sync", "async"])
def flavor(request: pytest.FixtureRequest) -> Flavor:
    return Flavor(is_async=request.param == "async")


@pytest.fixture
def launch(path: Path, registry: litewf.Registry) -> Iterator[Callable[..., litewf.Engine]]:
    """Launch an engine on the test's file; options are those of Engine.

    It parks at every wait, and its clock jumps when it rests; `clock=None` is the real one.
    """
    launched: list[litewf.Engine] = []
    clock = VirtualClock(mode="free")

    def start(**options: Any) -> litewf.Engine:
        engine = litewf.Engine(path, **{"registry": registry, "linger": 0, "clock": clock, **options})
        engine.launch()
        launched.append(engine)
        return engine

    yield start
    for engine in launched:
        engine.shutdown(timeout=5)
