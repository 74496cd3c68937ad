"""What the crash tests share: silence about thousands of deaths, and lines that say how many there were."""

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
    tally, explored, planted = Tally(), Explored(), {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for name, value in report.user_properties:
                if name == "crash cycles":
                    tally.cycles += value[0]
                    tally.seconds += value[1]
                elif name == "planted":
                    planted[value[0]] = value[1]
                elif name == "cuts":
                    explored.add(Explored(Counter(value[0]), again=value[1], seconds=value[2]))
    if tally.cycles:
        terminalreporter.write_line(str(tally))
    if explored.cycles:
        terminalreporter.write_line(str(explored))
    if planted:
        terminalreporter.write_line(f"{len(planted)} planted bugs were caught, after so many cycles:")
        for name, cycles in sorted(planted.items(), key=lambda one: one[1]):
            terminalreporter.write_line(f"  {cycles:5}  {name}")
