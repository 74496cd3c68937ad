"""What makes no sense is refused before anything is written, with a message that says what would."""

import math
from collections.abc import Callable
from typing import Any

import pytest

import litewf
from tests.queues.lab import Lab

LIMITS = ["worker_concurrency", "global_concurrency", "partition_concurrency", "max_tasks_per_iteration"]
NUMBERS = [0, -1, math.nan, math.inf, 1.5, True, 2**31, 10**30, "5"]
NAMES = ["", " ", "a\nb", "a\x00b", "\ud800", "litewf.mine", "x" * 256, 5, None, b"q"]


def refused(act: Callable[[], object]) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        act()
    assert str(caught.value)


@pytest.fixture
def nothing_written(lab: Lab) -> Any:
    before = lab.rows("SELECT (SELECT count(*) FROM queue), (SELECT count(*) FROM workflow)")
    yield
    assert lab.rows("SELECT (SELECT count(*) FROM queue), (SELECT count(*) FROM workflow)") == before


pytestmark = pytest.mark.usefixtures("nothing_written")


@pytest.mark.parametrize("value", NUMBERS, ids=str)
@pytest.mark.parametrize("limit", LIMITS)
def test_limits(lab: Lab, limit: str, value: Any) -> None:
    refused(lambda: litewf.Queue("q", **{limit: value}, registry=lab.registry))
    refused(lambda: lab.engine.create_queue("q", **{limit: value}))
    assert lab.registry.queues == {}


@pytest.mark.parametrize("value", NUMBERS, ids=str)
def test_rate_limits_and_priorities(lab: Lab, value: Any) -> None:
    refused(lambda: litewf.RateLimit(value, 1))
    refused(lambda: lab.job.with_options(priority=value))


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "5", 1e30], ids=str)
def test_periods(value: Any) -> None:
    refused(lambda: litewf.RateLimit(1, value))


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, True, "5", 1e30], ids=str)
def test_delays(lab: Lab, value: Any) -> None:
    refused(lambda: lab.job.with_options(delay=value))
    refused(lambda: lab.job.with_options(max_delay=value))
    refused(lambda: lab.engine.debounce(lab.job, "key", value, "h", "q"))


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names(lab: Lab, name: Any) -> None:
    for act in (
        lambda: litewf.Queue(name, registry=lab.registry),
        lambda: lab.engine.create_queue(name),
        lambda: lab.engine.update_queue(name, global_concurrency=1),
        lambda: lab.engine.pause_queue(name),
        lambda: lab.engine.resume_queue(name),
        lambda: lab.engine.delete_queue(name),
        lambda: lab.engine.enqueue(name, lab.job, "h", "q"),
        lambda: lab.engine.enqueue_many(name, [(lab.job, "h", "q")]),
        lambda: litewf.Engine(lab.path, queues=[name]),
    ):
        refused(act)
    if name is not None:
        refused(lambda: lab.job.with_options(queue=name))


@pytest.mark.parametrize("key", ["", " a", "\ud800", "a\nb", "x" * 256, 5, b"k"], ids=ascii)
def test_keys(lab: Lab, key: Any) -> None:
    refused(lambda: lab.job.with_options(partition_key=key))
    refused(lambda: lab.job.with_options(deduplication_id=key))
    refused(lambda: lab.engine.debounce(lab.job, key, 1, "h", "q"))


@pytest.mark.parametrize(
    "options", [{"priority": 1}, {"deduplication_id": "d"}, {"partition_key": "p"}, {"delay": 1}], ids=str
)
def test_queue_options_without_a_queue(lab: Lab, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="only on a queue"):
        lab.engine.start_workflow(lab.job.with_options(**options), "h", "q")


def test_a_priority_on_a_queue_without_priorities(lab: Lab) -> None:
    for act in (
        lambda: lab.enqueue("q", priority=1),
        lambda: lab.engine.enqueue_many("q", [(lab.job, "h", "q"), (lab.job.with_options(priority=1), "h", "q")]),
    ):
        with pytest.raises(ValueError, match="priority_enabled=True"):
            act()


def test_a_maximal_delay_without_debounce(lab: Lab) -> None:
    with pytest.raises(ValueError, match="debounce"):
        lab.enqueue("q", max_delay=5)


def test_other_nonsense(lab: Lab) -> None:
    for act in (
        lambda: litewf.Engine(lab.path, queues="mail"),
        lambda: litewf.Queue("q", rate_limit=(5, 1), registry=lab.registry),  # type: ignore[arg-type]  # on purpose
        lambda: litewf.Queue("q", priority_enabled=1, registry=lab.registry),  # type: ignore[arg-type]  # on purpose
        lambda: lab.engine.create_queue("q", concurrency=5),
        lambda: lab.job.with_options(on_duplicate="ignore"),
        lambda: lab.engine.debounce(lab.job.with_options(workflow_id="w"), "key", 1, "h", "q"),
        lambda: lab.engine.debounce(lab.job.with_options(delay=1), "key", 1, "h", "q"),
        lambda: lab.engine.enqueue("q", lab.job, "too", "many", "arguments", "for", "it"),
    ):
        refused(act)
    for unusable in (object(), print, 5):
        with pytest.raises((litewf.LitewfError, TypeError)):
            lab.engine.enqueue("q", unusable)
    with pytest.raises(litewf.LitewfError):
        lab.engine.enqueue_many("q", [lab.job])
    for act in (lab.engine.delete_queue, lab.engine.resume_queue, lab.engine.update_queue):
        with pytest.raises(litewf.QueueNotFoundError, match="create_queue"):
            act("nowhere")


def test_a_bad_one_in_a_batch_leaves_nothing_of_it(lab: Lab) -> None:
    with pytest.raises(TypeError):
        lab.engine.enqueue_many("q", [(lab.job, "h", "q"), (lab.job,)])
    with pytest.raises(litewf.SerializationError):
        lab.engine.enqueue_many("q", [(lab.job, "h", "q"), (lab.job, object(), "q")])
