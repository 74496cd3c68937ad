"""Everything that litewf does, killed at any moment, is what a plain model says: found examples first, then new ones."""

import pytest

from litewf.testing.machine import CrashMachine
from tests.machine.machine import Machine
from tests.machine.running import fails, play, recorded_examples, run, shorter


@pytest.mark.parametrize("name", recorded_examples())
def test_what_once_went_wrong_goes_well(name):
    play(recorded_examples()[name])


def test_the_engines_do_what_the_model_says():
    counts = run(1, examples=8)
    assert not counts.failures, str(counts.failures[0])
    assert counts.deaths > 8
    assert counts.steps > 100


@pytest.mark.nightly
def test_the_engines_do_what_the_model_says_for_long():
    counts = run(1000, minutes=10)
    assert not counts.failures, str(counts.failures[0])


def test_a_failure_prints_one_command_that_shows_it_again(monkeypatch):
    """A model that forgets messages stands for an engine that does."""
    monkeypatch.setattr("tests.machine.model.World.deliver", lambda *_: None)
    story = [
        ["open", {"engines": 1, "parks": True, "a": LIMITS, "b": LIMITS}],
        ["publish", {"type_": "paid", "id_": 1, "at": 0}],
        ["start", {"script": [], "timeout": None, "is_async": False, "at": 0, "twice": False}],
        ["time_passes", {"seconds": 1}],
        ["tell", {"which": 0, "topic": None, "at": 0, "twice": False}],
    ]
    assert "w01 should be {'unread': []}, it is {'unread': [(None, 1)]}" in fails(story)
    assert [name for name, _ in shorter(story)] == ["open", "start", "tell"]


def test_after_a_death_in_a_call_both_outcomes_are_possible_and_one_is_the_truth():
    outcomes = set()
    for point in range(1, 9):
        machine = Machine()
        try:
            machine.open(engines=1, parks=True, a=LIMITS, b=LIMITS)
            machine.die_in(point)
            machine.start(script=[("step",)], timeout=None, is_async=False, at=0, twice=False)
            assert len(machine.worlds) == 1
            outcomes.add((machine.deaths > 1, len(machine.world.jobs)))
        finally:
            machine.teardown()
    assert outcomes == {(True, 0), (True, 1), (False, 1)} or outcomes == {(True, 0), (True, 1)}


def test_what_was_tried_is_counted():
    counts = run(3, examples=1)
    assert counts.examples >= 1
    assert counts.steps == sum(counts.rules.values())
    assert issubclass(Machine, CrashMachine)


LIMITS = dict.fromkeys(
    ["global_concurrency", "worker_concurrency", "partition_concurrency", "max_tasks_per_iteration", "rate"]
)
