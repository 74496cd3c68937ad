"""The pytest plugin in a project of its own: the fixtures, the marker, and what a user's own fixtures may change."""

import pytest

from tests.testing import inner

PROJECT = """
import litewf, pytest
from datetime import datetime, timedelta, UTC
from litewf.testing import START, assert_started, assert_waiting, drain

@litewf.step
def double(x):
    return 2 * x

@litewf.workflow
def nap(days):
    litewf.sleep(days * 86400)
    return double(days)
"""


@pytest.fixture
def passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """Runs tests of a user in a project of theirs, and counts those that pass."""

    def check(tests: str, **outcomes: int) -> None:
        inner.run(pytester, monkeypatch, PROJECT + tests).assert_outcomes(**outcomes)

    return check


def test_an_engine_and_its_clock_are_there_for_the_asking(passes) -> None:
    passes(
        """
def test_inline(engine, clock):
    assert engine.run_workflow(nap, 30) == 60
    assert clock.now == START + timedelta(days=30)

def test_every_test_has_a_file_and_a_time_of_its_own(engine, clock):
    assert engine.list_workflows() == []
    assert clock.now == START
""",
        passed=2,
    )


def test_a_marker_says_how_they_are_made(passes) -> None:
    passes(
        """
mine = litewf.Registry()

@mine.workflow
def hello():
    return "hello"

@pytest.mark.litewf(mode="driven", start=datetime(2020, 2, 29, tzinfo=UTC))
class TestDriven:
    def test_time_stands(self, engine, clock):
        handle = engine.start_workflow(nap, 1)
        assert_waiting(engine, handle, "a time", until=datetime(2020, 3, 1, tzinfo=UTC))
        drain(engine)
        assert handle.get_result() == 2
        assert clock.now == datetime(2020, 3, 1, tzinfo=UTC)

    @pytest.mark.litewf(mode="inline", registry=mine, executor_id="me")
    def test_the_closest_marker_wins(self, engine, clock):
        assert engine.run_workflow(hello) == "hello"
        assert (clock.mode, clock.now.year, engine.executor_id) == ("inline", 2020, "me")

def test_a_given_file(tmp_path, request):
    request.applymarker(pytest.mark.litewf(path=tmp_path / "given.db"))
    request.getfixturevalue("engine").run_workflow(nap, 1)
    assert (tmp_path / "given.db").exists()
""",
        passed=3,
    )


def test_a_fixture_says_it_for_a_whole_folder(passes) -> None:
    passes(
        """
@pytest.fixture
def litewf_options():
    return {"mode": "driven", "linger": None}

def test_it(engine, clock):
    assert clock.mode == "driven"
    handle = engine.start_workflow(nap, 1)
    clock.advance(86400)
    assert handle.get_result() == 2
""",
        passed=1,
    )


def test_fixtures_of_the_project_come_first(passes) -> None:
    passes(
        """
@pytest.fixture
def engine():
    return "mine"

def test_it(engine):
    assert engine == "mine"
""",
        passed=1,
    )


def test_an_engine_that_was_killed_ends_with_its_test(passes) -> None:
    passes(
        """
def test_it(engine):
    engine.start_workflow(nap, 1)
    engine.kill()
""",
        passed=1,
    )


def test_a_word_that_no_engine_knows_is_an_error(passes) -> None:
    passes(
        """
@pytest.mark.litewf(linger_on=1)
def test_it(engine):
    pass
""",
        errors=1,
    )


def test_the_marker_is_explained(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    result = inner.run(pytester, monkeypatch, "", "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.litewf(mode=, start=, path=, registry=*"])
