"""Counts over all workers how many cycles there were: a plugin, since the process that has all reports collects nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.crash.power import Explored

FEWEST = 20_000  # cycles on images of the disk, when all scenarios have run


def _properties(session: pytest.Session, wanted: str) -> Iterator[Any]:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    for outcome in ("passed", "failed") if reporter is not None else ():
        for report in reporter.getreports(outcome):
            yield from (value for name, value in report.user_properties if name == wanted)


def _explored(session: pytest.Session) -> tuple[Explored, set[str]]:
    """What the cuts have come to, and in which scenarios."""
    from tests.crash.power import Explored

    explored, scenarios = Explored(), set()
    for scenario, cycles, again, seconds in _properties(session, "cuts"):
        explored.add(Explored(Counter(cycles), again=again, seconds=seconds))
        scenarios.add(scenario)
    return explored, scenarios


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail if they were too few."""
    from tests.crash.scenarios import SCENARIOS

    explored, scenarios = _explored(session)
    if scenarios >= {scenario.name for scenario in SCENARIOS} and explored.cycles.total() < FEWEST:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    session = terminalreporter._session
    assert session is not None
    tallies = list(_properties(session, "crash cycles"))
    if tallies:
        from tests.crash.explorer import Tally

        terminalreporter.write_line(str(Tally(sum(one[0] for one in tallies), 0, sum(one[1] for one in tallies))))
    explored, _ = _explored(session)
    if explored.cycles:
        terminalreporter.write_line(str(explored))
        if explored.cycles.total() < FEWEST:
            terminalreporter.write_line(f"which are fewer than the {FEWEST} of a whole run")
    planted = dict(_properties(session, "planted"))
    if planted:
        terminalreporter.write_line(f"{len(planted)} planted bugs were caught, after so many cycles:")
        for name, cycles in sorted(planted.items(), key=lambda one: one[1]):
            terminalreporter.write_line(f"  {cycles:5}  {name}")
