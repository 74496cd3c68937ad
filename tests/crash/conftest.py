"""What the crash tests share: silence about thousands of deaths, and a line that says how many there were."""

import logging
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.crash.explorer import Tally
from tests.crash.power import Explored


@pytest.fixture
def silent_logs() -> Iterator[None]:
    logger = logging.getLogger("litewf")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield
    logger.setLevel(level)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    tally, explored = Tally(), Explored()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == "crash cycles":
                    tally.cycles += value[0]
                    tally.seconds += value[1]
                elif name == "cuts":
                    explored.add(Explored(Counter(value[0]), again=value[1], seconds=value[2]))
    if tally.cycles:
        terminalreporter.write_line(str(tally))
    if explored.cycles:
        terminalreporter.write_line(str(explored))
