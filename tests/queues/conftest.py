"""The stages of these tests: engines on a clock moved by hand, and jobs under virtual time."""

import faulthandler
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import litewf
from tests.queues.lab import Lab
from tests.stage import PATIENCE_S, Stage


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    faulthandler.dump_traceback_later(3 * PATIENCE_S, exit=True)  # a queue that is stuck ends no wait
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture
def stage(path: Path, registry: litewf.Registry) -> Stage:
    return Stage(path, registry)


@pytest.fixture
def lab(path: Path) -> Iterator[Lab]:
    made = Lab(path)
    yield made
    made.close()


@pytest.fixture
def make_lab(path: Path) -> Iterator[Callable[..., Lab]]:
    with ExitStack() as labs:

        def make(**options: Any) -> Lab:
            made = Lab(path, **options)
            labs.callback(made.close)
            return made

        yield make


@pytest.fixture
def silent_logs() -> Iterator[None]:
    logger = logging.getLogger("litewf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)
