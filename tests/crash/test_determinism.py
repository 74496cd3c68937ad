"""A15: the same seed is the same run, so what has failed once can be watched again.

Of workflows whose order no race between threads decides; what others leave, the crash tests know only in part.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.crash.explorer import Scenario, Trial
from tests.crash.invariants import Image
from tests.crash.scenarios import SCENARIOS

pytestmark = pytest.mark.usefixtures("silent_logs")
ALONE = {
    "a_month_of_sleep_parked",
    "a_patch_is_decided_once",
    "a_step_is_retried_with_backoff",
    "a_step_shows_its_progress",
    "a_stream_goes_on_in_the_next_generation",
    "an_async_workflow_with_children_continues_as_new",
    "an_hour_of_sleep_in_memory",
    "an_uncertain_step_is_probed",
    "async_retries_that_run_out",
    "async_sleeps_between_steps",
    "async_steps_in_sequence",
    "async_values_that_replay_parked",
    "branches_write_one_stream",
    "every_tick_runs_once",
    "steps_in_sequence",
    "transactions_take_effect_once",
    "values_that_replay",
}
CHOSEN = [scenario for scenario in SCENARIOS if scenario.name in ALONE]


def run(scenario: Scenario, folder: Path, crash_at: int | None) -> tuple[list[str], dict[str, list[Any]]]:
    """Each crash point that it came by, and each row that is left, with its keys, ids and times."""
    folder.mkdir()
    trial = Trial(scenario, folder / "flows.db")
    passed: list[str] = []
    if trial.live(crash_at, watch=passed.append):
        trial.live(None)
    trial.check()
    image = Image.of(trial.path)
    tables = [name for (name,) in image.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    rows = {name: image.rows(f'SELECT * FROM "{name}"') for name in tables}
    image.close()
    return passed, rows


def test_all_of_them_are_there() -> None:
    assert {scenario.name for scenario in CHOSEN} == ALONE


@pytest.mark.parametrize("crash_at", [None, 9])
@pytest.mark.parametrize("scenario", CHOSEN, ids=lambda scenario: scenario.name)
def test_a15__the_same_seed_passes_the_same_points_and_leaves_the_same_rows(
    tmp_path: Path, scenario: Scenario, crash_at: int | None
) -> None:
    once, again = (run(scenario, tmp_path / name, crash_at) for name in ("once", "again"))
    assert again == once
    assert len(once[0]) > 8
    assert len(once[1]["workflow"]) > 0
