"""What the crash tests share: silence about thousands of deaths, and a line that says how many there were."""

import logging
from collections.abc import Iterator

import pytest

from tests.crash.explorer import Tally


@pytest.fixture
def silent_logs() -> Iterator[None]:
    logger = logging.getLogger("litewf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tally = Tally()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == "crash cycles":
                    tally.cycles += value[0]
                    tally.seconds += value[1]
    if tally.cycles:
        terminalreporter.write_line(str(tally))
