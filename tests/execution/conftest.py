"""An engine that a test starts when its definitions are there, and starts again to see what recovery makes of them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import litewf
from .support import Flavor


@pytest.fixture(params=["sync", "async"])
def flavor(request: pytest.FixtureRequest) -> Flavor:
    return Flavor(is_async=request.param == "async")


@pytest.fixture
def launch(path: Path, registry: litewf.Registry) -> Iterator[Callable[..., litewf.Engine]]:
    """Launch an engine on the test's file; options are those of Engine."""
    launched: list[litewf.Engine] = []

    def start(**options: Any) -> litewf.Engine:
        engine = litewf.Engine(path, **{"registry": registry, **options})
        engine.launch()
        launched.append(engine)
        return engine

    yield start
    for engine in launched:
        engine.shutdown(timeout=5)
