"""Long work on a terminal has a bar; its result and its error come through."""

import sys
import threading

import pytest

from litewf.cli import progress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(progress, "LOOK_S", 0.001)


@pytest.mark.usefixtures("terminal")
def test_the_bar_is_told_how_far_the_work_is_and_the_result_comes_through() -> None:
    looked = threading.Event()

    def done() -> tuple[float, float]:
        looked.set()
        return 1, 2

    assert progress.with_bar("working", lambda: looked.wait(30), done) is True


@pytest.mark.usefixtures("terminal")
def test_an_error_of_the_work_comes_through() -> None:
    def work() -> None:
        raise TimeoutError("too late")

    with pytest.raises(TimeoutError, match="too late"):
        progress.with_bar("working", work, lambda: (0, 0))


def test_in_a_pipe_the_work_is_simply_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert progress.with_bar("working", lambda: 7, lambda: (0, 0)) == 7
    assert capsys.readouterr().err == ""
