"""Whether the code as it is now can go on with a run: what a rehearsal of it showed, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from litewf.engine import patches
from litewf.engine.binding import bound
from litewf.engine.execution import Execution
from litewf.engine.rehearsing import Rehearsal, Stage
from litewf.engine.signals import ContinueAsNew, Diverged, Undecodable, Unwind
from litewf.errors import SerializationError
from litewf.histories import History, ReplayCheck, Verdict
from litewf.serialization.exceptions import described

if TYPE_CHECKING:
    from litewf.registry import Registry
    from litewf.serialization import Serializer

PATIENCE_S = 10.0  # with code that waits for something else than a durable call
RUN_THE_OLD = "run it with the program that it was started with, fork it, or cancel it"
LACKS_PATCH = (
    'let runs like this one keep their way: if litewf.patch("<a name>"): the new code, else: the code as it was'
)


def check(
    history: History, registry: Registry, serializer: Serializer, *, patience_s: float = PATIENCE_S
) -> ReplayCheck:
    """Rehearse a run with the workflow of its name."""
    if history.name not in registry.workflows:
        reason = f"no workflow named {history.name!r} is registered in this program"
        advice = f"a function that was renamed keeps its runs with @workflow(name={history.name!r})"
        return _checked(history, "unknown_workflow", reason, advice)
    stage = Stage(registry, serializer, max(history.created_us, history.updated_us))
    try:
        rehearsal = stage.prepare(history)
    except (SerializationError, ValueError, KeyError, TypeError) as error:
        return _undecodable(history, f"its input cannot be decoded: {error}", None)
    if not history.steps and not history.is_finished:
        return _not_begun(history, rehearsal)
    over = stage.perform(rehearsal, patience_s)
    if over is not None and over.why not in ("parked", "continued", "held"):
        return _checked(history, "unclear", _unclear(over, patience_s), "look at what the code waits for there")
    return _judged(history, rehearsal, over)


def _judged(history: History, rehearsal: Rehearsal, over: Unwind | None) -> ReplayCheck:
    if isinstance(over, Diverged):
        return _diverged(history, rehearsal, over)
    if isinstance(over, Undecodable):
        return _undecodable(history, over.detail, over.step)
    if over is not None and over.why == "held":
        return _checked(history, "unknown_workflow", over.detail, RUN_THE_OLD)
    if history.is_finished and (beyond := _beyond_the_end(history, rehearsal)) is not None:
        return _diverged(history, rehearsal, beyond)
    return _checked(history, "matches", _onward(history, rehearsal))


def _not_begun(history: History, rehearsal: Rehearsal) -> ReplayCheck:
    """A run without records, whose code need not be called to see that it fits."""
    try:
        bound(rehearsal)
    except Unwind as over:
        return _checked(history, "unknown_workflow", over.detail, RUN_THE_OLD)
    return _checked(history, "matches", "nothing is recorded yet")


def _unclear(over: Unwind, patience_s: float) -> str:
    if over.why != "closing":
        return f"the rehearsal ended: {over}"
    return f"its code neither ended nor made its next call within {patience_s:g} s; it waits for no durable call"


# --- where they part ----------------------------------------------------------------------------------------------


def _diverged(history: History, rehearsal: Rehearsal, parted: Diverged) -> ReplayCheck:
    verdict, advice = _cure(history, rehearsal, parted)
    return ReplayCheck(
        history.workflow_id, history.name, verdict, parted.detail, advice, parted.step, parted.recorded, parted.called
    )


def _cure(history: History, rehearsal: Rehearsal, parted: Diverged) -> tuple[Verdict, str]:
    """Whether a patch is missing, and what to do otherwise."""
    if parted.patch is not None:
        patch = f"litewf.patch({parted.patch!r})"
        return "diverges", f"put {patch} back with both ways, until the last run from before it has ended"
    old_ways = _old_ways(history, rehearsal.runtime.serializer)
    lost = next((name for name in old_ways if name not in rehearsal.decisions), None)
    if lost is not None:
        patch = f"litewf.patch({lost!r})"
        return "diverges", f"this run takes the old way of {patch}: put it back with both ways, until such runs ended"
    if history.is_finished:
        return "diverges", f"if runs like this one may still be unfinished: {LACKS_PATCH}"
    if history.application_version == rehearsal.runtime.registry.version():
        same = "the workflows are of the version that recorded this; if nothing else changed, it is not deterministic"
        return "lacks_patch", f"{LACKS_PATCH} ({same})"
    return "lacks_patch", LACKS_PATCH


def _old_ways(history: History, serializer: Serializer) -> Iterator[str]:
    """The patches that the run has asked for, and whose old way it went."""
    for row in history.steps:
        if row.name == patches.NAME and row.output is not None:
            with suppress(SerializationError):  # damaged: it does not say which way
                if serializer.decode(row.output) is False:
                    yield row.step.partition(":")[2]


def _beyond_the_end(history: History, rehearsal: Rehearsal) -> Diverged | None:
    """What the code does now although the run has ended."""
    ending = rehearsal.end_of_run
    if isinstance(rehearsal.over, ContinueAsNew):
        detail = f"the run ended with {history.status}, but the code now continues as new"
        return Diverged(detail, _next_number(rehearsal))
    calls = rehearsal.ahead if ending is None else [(row[2], row[3]) for row in ending.rows if row[3] != patches.NAME]
    if calls:
        number, name = _of_the_main_branch(calls)
        return Diverged(f"the run ended without step {number}, but the code now calls {name!r}", number, None, name)
    if ending is not None and ending.status != history.status:
        how = _how_it_ended(rehearsal, ending.status, ending.failure)
        return Diverged(f"the run ended with {history.status}, but the code now {how}", _next_number(rehearsal))
    return None


def _of_the_main_branch(calls: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The first of these; calls of tasks may have been in flight when the run ended."""
    return next((call for call in calls if call[0].isdecimal()), calls[0])


def _next_number(rehearsal: Rehearsal) -> str:
    return str(rehearsal.last_recorded.get("", 0) + 1)


# --- where they agree ---------------------------------------------------------------------------------------------


def _onward(history: History, rehearsal: Rehearsal) -> str:
    """What the run does once all is replayed."""
    if isinstance(rehearsal.over, ContinueAsNew):
        return "it continues as new"
    ending = rehearsal.end_of_run
    if ending is not None:
        return f"it {_how_it_ended(rehearsal, ending.status, ending.failure)}"
    values = {row[2] for row in rehearsal.buffered}  # such as the time, for which nothing waits
    calls = [(row.step, row.name) for row in history.steps if row.completed_us is None]
    calls += [call for call in rehearsal.ahead if call[0] not in values]
    return "it goes on at " + ", ".join(f"step {number} ({name})" for number, name in calls[:3])


def _how_it_ended(execution: Execution, status: str, error: str | None) -> str:
    if error is None:
        return f"ends with {status}"
    return f"ends with {status}: {described(execution.runtime.serializer.decode_error_lenient(error))}"


def _undecodable(history: History, reason: str, number: str | None) -> ReplayCheck:
    advice = "give the class back its name or fields, or register the one in its place with registry.type(aliases=)"
    return _checked(history, "undecodable", reason, advice, number)


def _checked(
    history: History, verdict: Verdict, reason: str, advice: str = "", number: str | None = None
) -> ReplayCheck:
    return ReplayCheck(history.workflow_id, history.name, verdict, reason, advice, number)
