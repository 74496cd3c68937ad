"""The pytest plugin: `engine` and `clock`, made anew for each test, and a marker that says how.

pytest loads it wherever litewf is installed, so it imports nothing until a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from litewf.testing import MortalEngine, VirtualClock

MARKER = (
    "litewf(mode=, start=, path=, registry=, **options): how the fixtures `clock` and `engine` are made: mode 'inline',"
    " 'driven' or 'free', the moment at which the clock starts, the file, the registry, and what else Engine takes"
)
OF_THE_CLOCK = {"mode", "start", "despite_bodies", "patience"}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def litewf_options() -> dict[str, Any]:
    """What the marker says where there is none: override it for a folder or a module."""
    return {}


@pytest.fixture
def clock(request: pytest.FixtureRequest, litewf_options: dict[str, Any]) -> VirtualClock:
    """The time of the test, for its engines: see `litewf.testing.VirtualClock`."""
    from litewf.testing import VirtualClock  # noqa: PLC0415 - see the module's docstring

    options = _options(request, litewf_options)
    return VirtualClock(**{name: value for name, value in options.items() if name in OF_THE_CLOCK})


@pytest.fixture
def engine(
    request: pytest.FixtureRequest, litewf_options: dict[str, Any], clock: VirtualClock, tmp_path: Path
) -> Iterator[MortalEngine]:
    """An engine that runs the default registry on a file of its own, under virtual time, and parks at every wait."""
    from litewf.testing import MortalEngine  # noqa: PLC0415 - as above

    options = _options(request, litewf_options)
    path = options.pop("path", tmp_path / "litewf.db")
    mine = {name: value for name, value in options.items() if name not in OF_THE_CLOCK}
    with MortalEngine(path, clock=clock, **mine) as running:
        yield running


def _options(request: pytest.FixtureRequest, defaults: dict[str, Any]) -> dict[str, Any]:
    """What applies to a test: the closest marker wins, option by option."""
    markers = reversed(list(request.node.iter_markers("litewf")))
    return {**defaults, **{name: value for marker in markers for name, value in marker.kwargs.items()}}
