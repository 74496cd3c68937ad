"""H6: what is due is worked out before the transaction; what changes in that very moment wins, and nothing is half done."""

import pytest

import litewf
from litewf.world import Entropy, World
from tests.schedules.scene import HOUR, MINUTE, at


class Meddler(Entropy):
    """Acts when the jitter of a tick is drawn: the schedule has been read, and nothing is written yet."""

    def __init__(self) -> None:
        super().__init__(seed=1)
        self.acts = []

    def random(self) -> float:
        if self.acts:
            self.acts.pop()()
        return super().random()


@pytest.fixture
def meddled(scene, report):
    """Runs an engine in whose critical moment a client does something, once."""

    def run(act):
        meddler = Meddler()
        with scene.engine() as engine:
            engine.create_schedule("s", report, "0 * * * *", jitter=1)
        with (
            litewf.Client(scene.path, registry=scene.registry, clock=scene.clock) as client,
            scene.engine(world=World(scene.clock, meddler, scene._reached)) as engine,
        ):
            scene.rest(engine)
            meddler.acts.append(lambda: act(client))
            scene.jump(engine, HOUR)
            scene.pass_time(engine, 2 * MINUTE)
            assert meddler.acts == []
            return [status.workflow_id for status in engine.list_workflows()], engine.list_schedules()

    return run


def test_a_pause_in_the_last_moment_stops_the_tick(meddled):
    ids, [info] = meddled(lambda client: client.pause_schedule("s"))
    assert ids == []
    assert info.paused
    assert info.last_at is None


def test_a_deletion_in_the_last_moment_stops_the_tick(meddled):
    assert meddled(lambda client: client.delete_schedule("s")) == ([], [])


def test_another_cron_in_the_last_moment_stops_the_tick_and_counts_from_now(meddled):
    ids, [info] = meddled(lambda client: client.create_schedule("s", "report", "30 * * * *"))
    assert ids == []
    assert info.next_at == at("2030-01-01 13:30")


def test_other_options_in_the_last_moment_hold_for_the_tick(meddled):
    ids, [info] = meddled(lambda client: client.create_schedule("s", "report", "0 * * * *", overlap="skip"))
    assert ids == ["s@2030-01-01T13:00:00Z"]
    assert info.next_at == at("2030-01-01 14:00")


def test_a_backfill_of_the_tick_in_the_last_moment_leaves_one_run(meddled):
    ids, [info] = meddled(
        lambda client: (
            client.backfill_schedule("s", at("2030-01-01 12:30"), at("2030-01-01 13:00"))
            or client.trigger_schedule("s")
        )
    )
    assert sorted(ids)[1:] == ["s@2030-01-01T13:00:00Z"]
    assert info.next_at == at("2030-01-01 14:00")


def test_another_engine_that_is_faster_leaves_one_run(scene, report, meddled):
    def be_faster(client):
        with scene.engine() as other:
            scene.rest(other)

    ids, [info] = meddled(be_faster)
    assert ids == ["s@2030-01-01T13:00:00Z"]
    assert info.last_at == at("2030-01-01 13:00")
