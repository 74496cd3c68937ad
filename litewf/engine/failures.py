"""What the body of a step raised: as the outcome of the step, and in the log with the place in the user's code."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from litewf.engine.signals import Unwind
from litewf.errors import UsageError

if TYPE_CHECKING:
    from litewf.engine.execution import Execution, StepFrame

LOG = logging.getLogger("litewf")


def as_failure(execution: Execution, frame: StepFrame, raised: BaseException) -> tuple[str, BaseException]:
    """What a body raised as the outcome of the step: as text, and as a replay would raise it."""
    outcome = raised if isinstance(raised, Exception) else not_an_outcome(execution, frame, raised)
    log_failure(execution, frame.number, frame.name, frame.attempt, outcome)
    text, copy = execution.runtime.serializer.encode_error(outcome)
    return text, traced(copy, outcome)


def log_failure(
    execution: Execution, number: str, name: str, attempt: int, error: BaseException, then: str = ""
) -> None:
    """Say where in the user's code an attempt failed: what is recorded of an error has no traceback."""
    if LOG.isEnabledFor(logging.INFO):
        LOG.info("step %s (%s) of %s failed%s", number, name, execution.label, then, exc_info=error,
                 extra=execution.log_fields(number, attempt))  # fmt: skip


def traced(copy: BaseException, original: BaseException) -> BaseException:
    """The copy with what is not recorded: where in the user's code it, and what caused it, were raised."""
    for to, of in zip(_with_causes(copy), _with_causes(original), strict=False):
        to.__traceback__ = of.__traceback__
    return copy


def _with_causes(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and all(error is not known for known in found):  # they may go in a circle
        found.append(error)
        error = error.__cause__
    return found


def say_whose(refusal: BaseException, what: str) -> None:
    """Add to what a serializer raised which value it was about."""
    with suppress(Exception):  # a class of the user may forbid it
        refusal.add_note(f"it is {what}")


def say_whose_result(refusal: BaseException, frame: StepFrame) -> None:
    """The same, where a body has returned the value."""
    say_whose(refusal, f"the result of step {frame.number} ({frame.name}) of {frame.execution.label}")


def not_an_outcome(execution: Execution, frame: StepFrame, raised: BaseException) -> BaseException:
    """A body that raised SystemExit and the like failed; the end of the execution itself passes through."""
    execution.check()
    if isinstance(raised, Unwind) or execution.runtime.loops.is_cancelling(raised):
        raise raised
    error = UsageError(
        f"step {frame.number} ({frame.name}) of {execution.label} raised {type(raised).__name__}, which is no"
        " outcome of a step; raise an Exception instead"
    )
    error.__cause__ = raised
    return error
