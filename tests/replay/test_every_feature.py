"""Whatever a workflow uses, and wherever its process dies: what is in the file then replays with its own code.

Nothing may take a text of the file for JSON that an engine's own serializer wrote.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

import litewf
from litewf.api.upgrades import check_upgrade
from litewf.engine.replay_checks import check
from litewf.redaction import redacted
from litewf.serialization import JsonSerializer, Serializer, TypeTable
from litewf.testing import VirtualClock
from tests.crash.explorer import Scenario, workplace
from tests.crash.ledger import Ledger
from tests.crash.life import Life
from tests.crash.scenarios import SCENARIOS
from tests.sealed import SealedSerializer

Codec = Callable[[TypeTable], Serializer]

pytestmark = pytest.mark.usefixtures("silent_logs")
DEATHS = (21, 24, 28, 33, 40, None)  # points at which the process dies; None: it lives to the end


@pytest.mark.parametrize("codec", [JsonSerializer, SealedSerializer])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_workflow_of_a_file_replays_with_its_own_code(scenario: Scenario, codec: Codec) -> None:
    """Where it dies depends on the scenario; all together die at every point."""
    death = DEATHS[len(scenario.name) % len(DEATHS)]
    with workplace() as folder:
        assert _replay_all(scenario, folder / "flows.db", death, codec) or death is not None


@pytest.mark.nightly
@pytest.mark.parametrize("death", DEATHS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_workflow_replays_wherever_its_process_died(scenario: Scenario, death: int | None) -> None:
    with workplace() as folder:
        assert _replay_all(scenario, folder / "flows.db", death, JsonSerializer) or death is not None


def _replay_all(scenario: Scenario, path: Path, crash_at: int | None, codec: Codec) -> int:
    """Live until the point, then replay every workflow; how many there were."""
    clock = VirtualClock(mode="driven")
    life = Life(path, clock, Ledger(), crash_at=crash_at, linger=scenario.linger, codec=codec)
    life.run(scenario.build(life))
    registry = _code_of(scenario, path, clock)
    serializer = codec(registry.types)
    unfinished = list(check_upgrade(path, registry, serializer=serializer))
    assert [one for one in unfinished if not one.matches] == []
    with litewf.Client(path, registry=registry, serializer=serializer) as client:
        ids = [status.workflow_id for status in client.list_workflows()]
        histories = [client.export_workflow(one) for one in ids]
        assert [step for one in ids for step in client.list_steps(one) if isinstance(step.output, litewf.Opaque)] == []
    for history in histories:
        read = litewf.History.from_json(history.to_json())
        assert read == history
        assert redacted(history, lambda _path, _value: True).redacted
        found = check(read, registry, serializer, patience_s=20)
        assert found.matches, found
    return len(ids)


def _code_of(scenario: Scenario, path: Path, clock: VirtualClock) -> litewf.Registry:
    """The same workflows, of a program that has not run."""
    life = Life(path, clock, Ledger(), crash_at=None, linger=0)
    scenario.build(life)
    return life.registry
