"""Application versions: what an engine runs, what it holds, and that holding is never silent (B13)."""

import logging
from queue import SimpleQueue

import pytest

import litewf
from tests.stage import Stage


@pytest.fixture
def sleeper(registry):
    @registry.workflow(name="sleeper")
    def sleeper():
        litewf.sleep(100)
        return litewf.workflow_id()

    return sleeper


@pytest.fixture
def warnings():
    """The warnings of litewf, as they come."""
    queue = SimpleQueue()

    class Handler(logging.Handler):
        def emit(self, record):
            queue.put(record.getMessage())

    handler = Handler(logging.WARNING)
    logging.getLogger("litewf").addHandler(handler)
    yield queue
    logging.getLogger("litewf").removeHandler(handler)


def parked_by(stage, sleeper, version, *ids, **options):
    with stage.engine(application_version=version, **options) as engine:
        for workflow_id in ids:
            stage.parked(engine.start_workflow(sleeper.with_options(workflow_id=workflow_id)))
    stage.clock.move(100)


def test_a_workflow_remembers_the_version_that_started_it(stage: Stage, sleeper):
    parked_by(stage, sleeper, "1.0", "w")
    with stage.engine(application_version="2.0") as engine:
        assert engine.application_version == "2.0"
        assert engine.retrieve_workflow("w").get_status().application_version == "1.0"


def test_with_a_version_an_engine_runs_only_its_own(stage: Stage, sleeper):
    parked_by(stage, sleeper, "1.0", "old")
    with stage.engine(application_version="2.0") as engine:
        new = engine.start_workflow(sleeper.with_options(workflow_id="new"))
        stage.parked(new)
        stage.clock.move(100)
        assert new.get_result() == "new"
        with pytest.raises(litewf.WorkflowHeldError, match=r"'1\.0'.*'2\.0'"):
            engine.retrieve_workflow("old").get_result()
        status = engine.retrieve_workflow("old").get_status()
        assert (status.status, "1.0" in status.held) == ("PENDING", True)
    with stage.engine(application_version="1.0") as engine:
        assert engine.retrieve_workflow("old").get_result() == "old"


def test_without_a_version_an_engine_runs_whatever_it_has_the_code_for(stage: Stage, sleeper):
    parked_by(stage, sleeper, "1.0", "old")
    with stage.engine() as engine:
        assert engine.retrieve_workflow("old").get_result() == "old"


@pytest.mark.parametrize(("recover", "runs"), [("compatible", True), ("matching", False)])
def test_recover_decides_whichever_version_is_given(stage: Stage, sleeper, recover, runs):
    parked_by(stage, sleeper, "1.0", "old")
    with stage.engine(application_version="2.0", recover=recover) as engine:
        handle = engine.retrieve_workflow("old")
        if runs:
            assert handle.get_result() == "old"
        else:
            with pytest.raises(litewf.WorkflowHeldError):
                handle.get_result()


def test_the_default_version_is_a_hash_of_the_workflows_code(path):
    def version(body):
        registry = litewf.Registry()
        registry.workflow(name="w")(body)
        return litewf.Engine(path, registry=registry).application_version

    assert version(lambda: 1) == version(lambda: 1)
    assert version(lambda: 1) != version(lambda: 2)


def test_a_start_for_another_version_waits_for_an_engine_of_it(stage: Stage, sleeper):
    with stage.engine(application_version="1.0") as engine:
        handle = engine.start_workflow(sleeper.with_options(workflow_id="w", application_version="2.0"))
        stage.until(lambda: handle.get_status().held)
    with stage.engine(application_version="2.0") as engine:
        stage.parked(engine.retrieve_workflow("w"))
        stage.clock.move(100)
        assert engine.retrieve_workflow("w").get_result() == "w"


def test_what_is_held_at_launch_is_counted_and_named_in_one_warning(stage: Stage, sleeper, registry, warnings):
    @registry.workflow(name="gone")
    def gone():
        litewf.sleep(100)

    parked_by(stage, sleeper, "1.0", "a", "b", "c")
    with stage.engine(application_version="2.0") as engine:
        assert warnings.get(timeout=10).startswith("3 workflows are held")
        stage.parked(engine.start_workflow(gone))
    stage.clock.move(100)
    without = litewf.Registry()
    without.workflow(name="sleeper")(sleeper.fn)
    with stage.engine(registry=without, application_version="2.0") as engine:
        message = warnings.get(timeout=10)
        assert len(engine.list_workflows(held=True)) == 4
    assert warnings.empty()
    assert message.startswith("4 workflows are held")
    assert "3 of 'sleeper'" in message
    assert "'1.0'" in message
    assert "1 of 'gone'" in message
    assert "no workflow named 'gone'" in message


def test_a_later_launch_warns_of_what_is_still_held(stage: Stage, sleeper, warnings):
    parked_by(stage, sleeper, "1.0", "a", "b")
    for _ in range(2):
        with stage.engine(application_version="2.0"):
            assert warnings.get(timeout=10).startswith("2 workflows are held")
    assert warnings.empty()


def test_a_launch_with_nothing_held_says_nothing(stage: Stage, sleeper, caplog):
    parked_by(stage, sleeper, "1.0", "a")
    with caplog.at_level(logging.WARNING, "litewf"), stage.engine(application_version="1.0") as engine:
        engine.retrieve_workflow("a").get_result()
    assert caplog.records == []


def test_what_is_held_while_running_is_named_once_for_each_reason(stage: Stage, registry, warnings):
    """Many workflows that wake at once must not be as many lines."""

    @registry.workflow(name="lost")
    def lost():
        litewf.sleep(100)

    with stage.engine() as engine:
        for handle in engine.start_workflows([(lost,)] * 20):
            stage.parked(handle)
    with stage.engine(registry=litewf.Registry()) as engine:
        first = engine.start_workflow(litewf.Workflow(registry.workflows["lost"], registry))
        message = warnings.get(timeout=10)
        assert first.workflow_id in message or message.startswith("1 workflow is held")
        stage.clock.move(100)
        message = warnings.get(timeout=10)
        assert "and 19 others are held" in message
        assert len(engine.list_workflows(held=True)) == 21
    assert warnings.empty()


def test_a_workflow_defined_after_the_launch_runs(engine, registry):
    """As in a notebook: the registry is asked when a workflow starts, not when the engine does."""

    @registry.workflow
    def late():
        litewf.sleep(0)
        return "ran"

    assert engine.run_workflow(late) == "ran"


@pytest.mark.parametrize("option", [{"recover": "all"}, {"application_version": ""}, {"application_version": "a\nb"}])
def test_options_that_mean_nothing_are_refused(path, option):
    with pytest.raises(ValueError, match="|".join(option)):
        litewf.Engine(path, **option)


@pytest.fixture
def client(path, registry):
    """A program that starts workflows of no version."""
    with litewf.Engine(path, registry=litewf.Registry()):
        pass  # the file is there now
    with litewf.Client(path, registry=registry) as client:
        yield client


@pytest.mark.parametrize("queue", [None, "mail"], ids=["at once", "from a queue"])
@pytest.mark.parametrize("by_name", [False, True], ids=["by function", "by name"])
def test_what_a_client_started_is_of_the_version_that_begins_it(stage: Stage, sleeper, client, queue, by_name):
    job = (litewf.WorkflowName("sleeper") if by_name else sleeper).with_options(workflow_id="w", queue=queue)
    handle = client.start_workflow(job)
    assert handle.get_status().application_version is None
    with stage.engine(application_version="A"):
        stage.parked(handle)
        assert handle.get_status().application_version == "A"
    stage.clock.move(100)
    with stage.engine(application_version="B"):
        with pytest.raises(litewf.WorkflowHeldError, match=r"'A'.*'B'"):
            handle.get_result(timeout=20)
        assert handle.get_status().application_version == "A"
    with stage.engine(application_version="A"):
        assert handle.get_result(timeout=20) == "w"


@pytest.mark.parametrize("queue", [None, "mail"], ids=["at once", "from a queue"])
def test_what_a_version_could_not_begin_is_left_to_any_other(stage: Stage, client, queue):
    """It has the code, but not the object that the workflow is to run on."""

    def registry(*names):
        registry = litewf.Registry()

        class Shop:
            @registry.workflow(name="order")
            def order(self):
                return "ordered"

        for name in names:
            registry.instance(name, Shop())
        return registry

    handle = client.start_workflow(litewf.WorkflowName("order", instance="us").with_options(queue=queue))
    with stage.engine(registry=registry(), application_version="A"):
        with pytest.raises(litewf.WorkflowHeldError, match="no instance:us"):
            handle.get_result(timeout=20)
        assert handle.get_status().application_version is None
    with stage.engine(registry=registry("us"), application_version="B"):
        assert handle.get_result(timeout=20) == "ordered"
        assert handle.get_status().application_version == "B"


def test_a_workflow_that_no_engine_has_the_code_of_stays_of_no_version(stage: Stage, client):
    handle = client.start_workflow(litewf.WorkflowName("elsewhere"))
    with stage.engine(application_version="A"):
        with pytest.raises(litewf.WorkflowHeldError, match="no workflow named"):
            handle.get_result(timeout=20)
        assert handle.get_status().application_version is None
