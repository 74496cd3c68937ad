"""What the strategies draw, litewf takes."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings

import litewf
from litewf import cron
from litewf.serialization import JsonSerializer, TypeTable
from litewf.testing import strategies as wf

FEW = settings(max_examples=20, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
CODEC = JsonSerializer(TypeTable())


@pytest.fixture
def echo(registry):
    @registry.workflow(name="echo")
    def echo(value: object) -> object:
        return value

    return echo


@FEW
@given(workflow_id=wf.workflow_ids(), topic=wf.topics())
def test_ids_and_topics_are_taken(engine, echo, workflow_id, topic):
    handle = engine.start_workflow(echo.with_options(workflow_id=workflow_id), None)
    assert handle.workflow_id == workflow_id
    engine.send(workflow_id, "x", topic)


@FEW
@given(name=wf.names(), limits=wf.queue_limits(), options=wf.queue_options(priority=False, longest_delay=0.001))
def test_queues_and_what_is_put_on_them_are_taken(engine, echo, name, limits, options):
    engine.create_queue(name, **limits)
    chosen = echo.with_options(**options, on_duplicate="return_existing")
    assert isinstance(engine.enqueue(name, chosen, 1), litewf.WorkflowHandle)


@FEW
@given(text=wf.crons(), with_seconds=wf.crons(seconds=True))
def test_cron_expressions_are_taken(text, with_seconds):
    assert cron.parse(text)
    assert cron.parse(with_seconds)
    assert (len(text.split()), len(with_seconds.split())) == (5, 6)


@FEW
@given(duration=wf.durations(60, least=1.0), rate=wf.rate_limits())
def test_durations_keep_to_their_bounds(duration, rate):
    seconds = duration.total_seconds() if isinstance(duration, timedelta) else duration
    assert 1 <= seconds <= 60
    assert 1 <= rate.limit <= 3


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of numbers with thousands of digits
@FEW
@given(value=wf.payloads(largest=3))
def test_payloads_are_taken(value):
    text = CODEC.encode(value)[0]
    assert CODEC.encode(CODEC.decode(text))[0] == text


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # as above
def test_payloads_are_of_many_kinds():
    kinds = set()

    @settings(FEW, max_examples=100)
    @given(wf.payloads(largest=3))
    def look(value):
        kinds.add(type(value))

    look()
    assert len(kinds) > 8
