"""Workflows by their names, from a program that has no more of them: functions and methods, with all start options."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import litewf

THERE = litewf.Registry()
TIMEOUT = 30


@THERE.workflow(name="greet")
def greet(name: str, greeting: str = "hello") -> str:
    return f"{greeting} {name}"


@THERE.workflow(name="family")
def family(name: str) -> str:
    child = litewf.start_workflow(litewf.WorkflowName("greet").with_options(workflow_id=f"of-{name}"), name)
    return f"{child.get_result()}, {litewf.run_workflow(litewf.WorkflowName('Shop.count'), 2)}"


class Shop:
    def __init__(self, city: str) -> None:
        self.city = city

    @THERE.workflow(name="Shop.order")
    def order(self, item: str) -> str:
        return f"{item} from {self.city}"

    @THERE.workflow(name="Shop.count")
    @classmethod
    def count(cls, number: int) -> str:
        return f"{cls.__name__} x{number}"

    @staticmethod
    @THERE.workflow(name="Shop.close")
    def close(reason: str) -> str:
        return f"closed: {reason}"


BOUND = THERE.workflow(name="bound")(Shop.order.fn.__get__(Shop("Oslo")))
LYON = THERE.instance("eu", Shop("Lyon"))


@pytest.fixture
def client(path: Path) -> Iterator[litewf.Client]:
    """A client that knows no workflow, beside an engine that knows all of them."""
    with litewf.Engine(path, registry=THERE), litewf.Client(path, registry=litewf.Registry()) as client:
        yield client


CALLS: list[tuple[litewf.WorkflowName, object, object]] = [
    (litewf.WorkflowName("greet"), "anna", "hello anna"),
    (litewf.WorkflowName("Shop.order", instance="eu"), "tea", "tea from Lyon"),
    (litewf.WorkflowName("Shop.count"), 3, "Shop x3"),
    (litewf.WorkflowName("Shop.close"), "late", "closed: late"),
    (litewf.WorkflowName("bound"), "tea", "tea from Oslo"),
]
EACH = pytest.mark.parametrize(
    ("workflow", "argument", "expected"), CALLS, ids=["function", "object", "class", "static", "bound"]
)


@EACH
def test_a_name_stands_for_the_workflow_wherever_one_is_started(
    client: litewf.Client, workflow: litewf.WorkflowName, argument: object, expected: object
) -> None:
    assert client.run_workflow(workflow, argument) == expected
    assert client.enqueue("mail", workflow, argument).get_result(timeout=TIMEOUT) == expected
    [one, two] = client.start_workflows([(workflow, argument), (workflow, argument)])
    assert (one.get_result(timeout=TIMEOUT), two.get_result(timeout=TIMEOUT)) == (expected, expected)
    [many] = client.enqueue_many("mail", [(workflow, argument)])
    assert many.get_result(timeout=TIMEOUT) == expected
    assert client.debounce(workflow, "key", 0.001, argument).get_result(timeout=TIMEOUT) == expected


def test_a_name_takes_every_option_of_a_start(client: litewf.Client) -> None:
    named = litewf.WorkflowName("greet").with_options(
        workflow_id="g-1", queue="mail", deduplication_id="once", attributes={"customer": "anna"}, timeout=60
    )
    assert client.start_workflow(named, name="anna", greeting="hi").get_result(timeout=TIMEOUT) == "hi anna"
    status = client.retrieve_workflow("g-1").get_status()
    assert (status.name, status.queue_name, status.deduplication_id) == ("greet", "mail", "once")
    assert (status.attributes, status.timeout) == ({"customer": "anna"}, timedelta(minutes=1))
    with pytest.raises(ValueError, match="priority has a meaning only on a queue"):
        client.start_workflow(litewf.WorkflowName("greet").with_options(priority=1), "anna")
    with pytest.raises(litewf.DuplicateWorkflowError, match="g-1"):
        client.start_workflow(named.with_options(on_existing_id="reject"), "anna")


def test_a_workflow_starts_children_by_their_names(client: litewf.Client) -> None:
    assert client.run_workflow(litewf.WorkflowName("family"), "ben") == "hello ben, Shop x2"
    assert client.retrieve_workflow("of-ben").get_status().parent_id is not None


def test_a_schedule_takes_a_method_of_an_object_by_its_name(client: litewf.Client) -> None:
    client.create_schedule("daily", litewf.WorkflowName("Shop.order", instance="eu"), "0 3 * * *")
    failed = client.trigger_schedule("daily")  # order() takes one time, and not two
    with pytest.raises(TypeError, match="takes 2 positional arguments but 3 were given"):
        failed.get_result(timeout=TIMEOUT)


WRONG: list[tuple[litewf.WorkflowName, str]] = [
    (litewf.WorkflowName("Shop.order"), r"'Shop\.order' is a method of an object: start it with the object's name"),
    (litewf.WorkflowName("greet", instance="eu"), r"'greet' is a function: start it without instance:eu"),
]


@pytest.mark.parametrize(("workflow", "message"), WRONG, ids=["no object", "an object too many"])
def test_a_method_without_its_object_fails_and_says_so(
    client: litewf.Client, workflow: litewf.WorkflowName, message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        client.run_workflow(workflow, "tea")


def test_an_object_that_no_program_has_named_is_waited_for(client: litewf.Client) -> None:
    with pytest.raises(litewf.WorkflowHeldError, match="no instance:us for 'Shop.order'"):
        client.run_workflow(litewf.WorkflowName("Shop.order", instance="us"), "tea")


@pytest.mark.parametrize("queue", [None, "mail"], ids=["at once", "from a queue"])
def test_what_no_engine_has_the_code_of_is_held_until_one_has_it(path: Path, queue: str | None) -> None:
    """Also by one of the same version: it never had the code to try."""
    with (
        litewf.Engine(path, registry=litewf.Registry(), application_version="1"),
        litewf.Client(path, registry=litewf.Registry()) as client,
    ):
        handle = client.start_workflow(litewf.WorkflowName("greet").with_options(queue=queue), "anna")
        with pytest.raises(litewf.WorkflowHeldError, match="no workflow named 'greet' is registered"):
            handle.get_result(timeout=TIMEOUT)
        with litewf.Engine(path, registry=THERE, application_version="1"):
            assert handle.get_result(timeout=TIMEOUT) == "hello anna"


def test_what_another_engine_has_the_code_of_is_left_to_it(path: Path) -> None:
    """Also if that one runs only its own version: a name alone is of no version."""
    with (
        litewf.Engine(path, registry=THERE, application_version="7", queues=["other"]),
        litewf.Engine(path, registry=litewf.Registry()),
        litewf.Client(path, registry=litewf.Registry()) as client,
    ):
        assert client.run_workflow(litewf.WorkflowName("greet"), "anna") == "hello anna"
        waiting = client.enqueue("mail", litewf.WorkflowName("greet"), "anna")
        assert client.run_workflow(litewf.WorkflowName("greet"), "ben") == "hello ben"
        assert waiting.get_status().held is None


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "a workflow's name must be"),
    ({"name": "litewf.own"}, "marks litewf's own"),
    ({"name": "greet", "instance": " "}, "an instance name must be"),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=["empty", "own", "instance"])
def test_what_is_no_name_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        litewf.WorkflowName(**arguments)


def test_a_name_alone_runs_nothing_here_and_has_no_schedule_in_code() -> None:
    with pytest.raises(litewf.UsageError, match="no more of the workflow than its name"):
        litewf.WorkflowName("greet").fn("anna")
    with pytest.raises(litewf.UsageError, match="create_schedule"):
        litewf.scheduled("0 3 * * *")(litewf.WorkflowName("tick"))
