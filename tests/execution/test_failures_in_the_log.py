"""What is recorded of an error has no traceback: the log says where in the user's code it was raised."""

import logging
import traceback
from collections.abc import Callable
from typing import Any

import pytest

import litewf

from .support import Flavor

Launch = Callable[..., litewf.Engine]


def failures(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, set[str]]]:
    """Of each failure that was logged: the level, the message, and the functions in its traceback and its cause's."""
    found = []
    for record in caplog.records:
        if record.exc_info is not None and (error := record.exc_info[1]) is not None:
            traces = [one.__traceback__ for one in (error, error.__cause__) if one is not None]
            places = {frame.name for trace in traces for frame in traceback.extract_tb(trace)}
            found.append((record.levelname, record.getMessage(), places & {"flow", "body", "decline"}))
    return found


def test_the_log_says_where_a_step_failed_that_failed_its_workflow(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, caplog: pytest.LogCaptureFixture
) -> None:
    def decline() -> None:
        raise ValueError("declined")

    step = flavor.step(registry)(decline)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do(step)

    engine = launch()
    with pytest.raises(ValueError, match="declined"):
        engine.run_workflow(flow.with_options(workflow_id="w"))
    engine.shutdown()
    assert ("ERROR", f"workflow 'w' ({flow.name}) failed", {"flow", "decline"}) in failures(caplog)


def test_the_log_says_where_each_attempt_failed(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "litewf")

    def decline() -> None:
        raise ValueError("declined")

    step = flavor.step(registry, max_retries=1, base_interval=2, jitter=0)(decline)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        yield do(step)

    engine = launch()
    with pytest.raises(litewf.StepRetriesExceededError):
        engine.run_workflow(flow.with_options(workflow_id="w"))
    engine.shutdown()
    of = f"of workflow 'w' ({flow.name})"
    assert [(level, message, "decline" in places) for level, message, places in failures(caplog)] == [
        ("INFO", f"step 1 (decline) {of} failed; the next attempt is in 2 s", True),
        ("INFO", f"step 1 (decline) {of} failed", True),
        ("ERROR", f"workflow 'w' ({flow.name}) failed", True),
    ]


def test_a_failure_that_the_workflow_handles_is_no_error_in_the_log(
    launch: Launch, registry: litewf.Registry, flavor: Flavor, caplog: pytest.LogCaptureFixture
) -> None:
    def decline() -> None:
        raise ValueError("declined")

    step = flavor.step(registry)(decline)

    @flavor.workflow(registry)
    def flow(do: Any) -> Any:
        try:
            yield do(step)
        except ValueError as error:
            return str(error)

    engine = launch()
    assert engine.run_workflow(flow) == "declined"
    engine.shutdown()
    assert failures(caplog) == []
