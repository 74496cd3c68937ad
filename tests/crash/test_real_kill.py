"""A process that is killed at random moments, again and again, loses nothing and repeats nothing that it recorded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.killed_child import Diary
from tests.crash.killing import Victim, kill_often


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    victim = Victim(tmp_path)
    yield victim
    victim.close()


def test_a_process_killed_at_random_moments_keeps_every_promise(victim: Victim, tmp_path: Path) -> None:
    assert kill_often(victim, tmp_path, rounds=30, seed=1) > 20, "the kills come too late to find anything"


def test_a_line_that_a_kill_has_torn_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "diary"
    Diary(path, "0").write("started", "a")
    before, read = Diary.lines(path, 0)
    with path.open("a") as torn:
        torn.write("0 start b:1 0-")
    none, read = Diary.lines(path, read)
    Diary(path, "1").write("started", "c")
    after, _ = Diary.lines(path, read)
    assert (before, none, after) == (["0 started a"], [], ["1 started c"])


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(20))
def test_a_process_killed_a_hundred_times_keeps_every_promise(victim: Victim, tmp_path: Path, seed: int) -> None:
    assert kill_often(victim, tmp_path, rounds=100, seed=seed) > 67
