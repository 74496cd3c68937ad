"""What the crash tests share: silence about thousands of deaths."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def silent_logs() -> Iterator[None]:
    logger = logging.getLogger("litewf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)
