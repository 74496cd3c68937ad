"""Waiting for the end of workflows: the result of one, of all, or the first of several waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeVar

from litewf.engine.carrying import Carried
from litewf.engine.execution import Execution
from litewf.engine.recording import as_promise, opened, promised, recorded, replay, row, write
from litewf.engine.requests import Flow, Read, Wait
from litewf.errors import (
    NonDeterminismError,
    WaitTimeoutError,
    WorkflowHeldError,
    WorkflowNotFoundError,
)
from litewf.records import TERMINAL
from litewf.serialization.kinds import is_unicode
from litewf.store.checkpoints import Promise, SettledRow, StepRow
from litewf.store.readers import Reader, snapshot
from litewf.store.reading import Outcome, outcome_of
from litewf.store.waits import ELSEWHERE, Awaited, workflow_key

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

R = TypeVar("R")
TIMED_OUT = None  # the output of a wait that reached its limit: any result is a text; its default is never recorded


class Missing:
    """The default of a default: none was given."""

    def __repr__(self) -> str:
        return "<no default>"


MISSING: Any = Missing()
NOT_YET: Any = object()  # an answer that has to be waited for


class Due:
    """When a wait is over at the latest: fixed the first time that somebody asks."""

    __slots__ = ("_at", "_us")

    def __init__(self, at: Callable[[int], int | None]) -> None:
        self._at = at
        self._us: int | None = None

    def __call__(self, now_us: int) -> int | None:
        if self._us is None:
            self._us = self._at(now_us)
        return self._us


class Limit:
    """How long to wait, and what to return then instead of raising WaitTimeoutError."""

    __slots__ = ("default", "due", "timeout_us")

    def __init__(self, timeout_us: int | None = None, default: Any = MISSING) -> None:
        self.timeout_us = timeout_us
        self.default = default
        self.due = Due(lambda now_us: None if timeout_us is None else now_us + timeout_us)

    def reached(self, what: str) -> Any:
        """The answer of a wait that timed out."""
        return self.missed(f"{what} within {(self.timeout_us or 0) / 1_000_000:g} s; it goes on")

    def missed(self, message: str) -> Any:
        """The answer of a wait that is over without what it was for."""
        if self.default is MISSING:
            raise WaitTimeoutError(message)
        return self.default


NO_LIMIT = Limit()


# --- looking ------------------------------------------------------------------------------------------------------


def ended(workflow_id: str) -> Callable[[Reader], Outcome | None]:
    """Look whether a workflow has ended."""

    def look(connection: Reader) -> Outcome | None:
        outcome = outcome_of(connection, workflow_id)
        if outcome is None:
            raise not_found(workflow_id)
        return outcome if outcome.status in TERMINAL else None

    return look


def ended_or_held(workflow_id: str) -> Callable[[Reader], Outcome | None]:
    """Look whether there is any use in waiting for a workflow, seen from outside."""

    def look(connection: Reader) -> Outcome | None:
        outcome = outcome_of(connection, workflow_id)
        if outcome is None:
            raise not_found(workflow_id)
        return outcome if outcome.status in TERMINAL or outcome.held is not None else None

    return look


def given_id(workflow_id: str) -> str:
    """An id to look up: what could never have been one is refused here."""
    if not isinstance(workflow_id, str):
        raise TypeError(f"a workflow id is text, not {type(workflow_id).__name__}")
    if not is_unicode(workflow_id):
        raise not_found(workflow_id)
    return workflow_id


def not_found(workflow_id: str) -> WorkflowNotFoundError:
    return WorkflowNotFoundError(f"there is no workflow {workflow_id!r} in this file")


def raise_held(workflow_id: str, outcome: Outcome) -> NoReturn:
    kind = NonDeterminismError if "is recorded" in (outcome.held or "") else WorkflowHeldError
    raise kind(
        f"workflow {workflow_id!r} ({outcome.name}) is held: {outcome.held}; run the code that it was started with, or"
        " fork it; resume_workflow() tries it again"
    )


# --- from outside -------------------------------------------------------------------------------------------------


def result_outside(runtime: Runtime, workflow_id: str, limit: Limit) -> Flow[Any]:
    """The result of a workflow, or its error as its own type."""
    look = ended_or_held(workflow_id)
    due_us = None if limit.timeout_us is None else runtime.now_us() + limit.timeout_us
    outcome: Outcome | None = yield Read(look, brief=True)  # most callers come late
    if outcome is None:
        outcome = yield Wait((workflow_key(workflow_id),), due_us, look)
    if outcome is None:
        return limit.reached(f"workflow {workflow_id!r} did not end")
    if outcome.status not in TERMINAL:
        raise_held(workflow_id, outcome)
    try:
        return _open(runtime, outcome)
    except StopIteration as error:
        raise Carried(error) from None


def result_at_once(runtime: Runtime, workflow_id: str) -> object:
    """The result of a workflow that has ended, as `result_outside` gives it; NOT_YET if there is reason to wait."""
    outcome = runtime.store.peek(ended(workflow_id))
    return NOT_YET if outcome is None else _open(runtime, outcome)


def _open(runtime: Runtime, outcome: Outcome) -> object:
    """Outside a workflow an unknown class is no reason to refuse: Opaque or RemoteError takes its place."""
    if outcome.error is not None:
        raise runtime.serializer.decode_error_lenient(outcome.error)
    return None if outcome.output is None else runtime.serializer.decode_lenient(outcome.output)


# --- inside a workflow --------------------------------------------------------------------------------------------


def result(execution: Execution, number: str, workflow_id: str, limit: Limit) -> Flow[Any]:
    """The result of another workflow, recorded; no limit means to wait for ever, without holding anything."""
    name = "litewf.get_result"
    record = recorded(execution, number, name)
    if record is not None and record.completed_us is not None:
        output = yield from replay(execution, record)
        if record.output is TIMED_OUT:
            return limit.reached(f"workflow {workflow_id!r} did not end")
        return output
    kept = yield from keep(execution, number, name, limit, record)
    found = found_in_time(execution, kept, end_of(workflow_id))
    outcome = yield from known(execution, kept, found)
    if outcome is None:
        execution.buffer(row(execution, number, name, kept.started_us, TIMED_OUT))
        return limit.reached(f"workflow {workflow_id!r} did not end")
    execution.buffer(row(execution, number, name, kept.started_us, outcome.output, outcome.error))
    return opened(execution, number, name, outcome.output, outcome.error)


def known(execution: Execution, kept: Promise, wait: Flow[R]) -> Flow[R]:
    """Wait for workflows; that one of them does not exist is an outcome too."""
    try:
        return (yield from wait)
    except WorkflowNotFoundError as refusal:
        error, copy = execution.runtime.serializer.encode_error(refusal)
        execution.buffer(row(execution, kept.step, kept.name, kept.started_us, None, error))
        raise copy from None


def arrived(
    execution: Execution, number: str, name: str, limit: Limit, record: StepRow | None, target: Target
) -> Flow[tuple[int, Any]]:
    """What is there, or comes in time, or None; and since when it was waited for. Costs a commit only if it waits."""
    started_us = execution.now_us() if record is None else record.started_us
    here = Promise(number, name, started_us)
    found = yield from known(execution, here, write(execution, Read(target.look, brief=target.brief)))
    if found is None and limit.timeout_us != 0:
        kept = yield from keep(execution, number, name, limit, record)
        waiting = found_in_time(execution, kept, target)
        found = yield from known(execution, kept, waiting)
    return started_us, found


def keep(execution: Execution, number: str, name: str, limit: Limit, record: StepRow | None) -> Flow[Promise]:
    """Fix the deadline of a wait: the recorded one, or a new one, written before the wait begins."""
    if record is not None:
        return as_promise(record)
    now_us = execution.runtime.now_us()
    kept = Promise(number, name, execution.now_us(), limit.due(now_us))
    if limit.timeout_us:
        yield from promised(execution, [kept])
        execution.check()
    return kept


def found_in_time(execution: Execution, kept: Promise, target: Target) -> Flow[Any]:
    """What is found before the deadline of the wait, or None."""
    keys, look = target.keys, target.look
    awaited = [Awaited(kept.step, kept.name, key, kept.due_us, target.detail) for key in keys if key != ELSEWHERE]
    while True:
        found = yield from write(execution, Wait(keys, kept.due_us, look, execution, awaited, brief=target.brief))
        if found is not None:
            return found
        execution.check()
        if kept.due_us is not None and execution.runtime.now_us() >= kept.due_us:
            return None


class Chosen(int):
    """The place of the wait that was over first."""


class Target(NamedTuple):
    """What a wait is for: the keys that wake it, and how to find out."""

    keys: Sequence[str]
    look: Callable[[Reader], object]
    detail: str | None = None
    brief: bool = True  # whether to find out is a brief question


def end_of(workflow_id: str) -> Target:
    """The end of a workflow."""
    return Target((workflow_key(workflow_id),), ended(workflow_id))


# Takes what was found for the call of this promise and records the choice, in one commit; False: it is gone.
Take = Callable[[Execution, Promise, Any, Sequence[SettledRow]], Flow[bool]]


class Spec(NamedTuple):
    """A durable wait that was not awaited yet, for wait_first; `target` is None where only the moment counts."""

    name: str
    due: Due
    target: Callable[[Execution, str], Target] | None = None  # of the execution, by the number of the call
    take: Take | None = None  # where only one can have what is found


class Candidate(NamedTuple):
    """One of several waits: something that may come, or a moment."""

    target: Target | None = None
    kept: Promise | None = None  # of a durable call that was not awaited yet: its number, and its deadline if any
    take: Take | None = None


NOTHING_CHOSEN = Candidate()


def first(execution: Execution, number: str, candidates: Sequence[Candidate], limit: Limit) -> Flow[Any]:
    """Which wait is over first, by its place; what it brings is left to whoever awaits it."""
    name = "litewf.wait_first"
    record = recorded(execution, number, name)
    if record is not None and record.completed_us is not None:
        output = yield from replay(execution, record)
        if record.output is TIMED_OUT:
            return limit.reached("none of the waits was over")
        return Chosen(output)
    kept = yield from keep(execution, number, name, limit, record)
    own = [one.kept for one in candidates if one.kept is not None and one.kept.due_us is not None]
    if own and record is None:
        yield from promised(execution, own)
        execution.check()
    chosen = None
    while True:
        choice = yield from known(execution, kept, _choose(execution, kept, candidates))
        chosen, found = choice or (None, None)
        rows = _rows_of_choice(execution, kept, candidates, chosen)
        one = NOTHING_CHOSEN if chosen is None else candidates[chosen]
        if found is None or one.take is None or one.kept is None:
            for each in rows:
                execution.buffer(each)
            break
        if (yield from one.take(execution, one.kept, found, rows)):
            break
    return limit.reached("none of the waits was over") if chosen is None else Chosen(chosen)


def _rows_of_choice(
    execution: Execution, kept: Promise, candidates: Sequence[Candidate], chosen: int | None
) -> list[SettledRow]:
    """The record of the choice, and of the waits that are withdrawn by it."""
    text = TIMED_OUT if chosen is None else execution.runtime.serializer.encode(chosen)[0]
    rows = [row(execution, kept.step, kept.name, kept.started_us, text)]
    for at, one in enumerate(candidates):
        if one.kept is not None and at != chosen:
            rows.append(row(execution, one.kept.step, one.kept.name, one.kept.started_us, None))
    return rows


def every(execution: Execution, number: str, ids: Sequence[str], limit: Limit) -> Flow[Any]:
    """The results of several workflows once all have ended; the error of the first that failed."""
    name = "litewf.wait_all"
    serializer = execution.runtime.serializer
    record = recorded(execution, number, name)
    if record is not None and record.completed_us is not None:
        texts = yield from replay(execution, record)
        if record.output is TIMED_OUT:
            return limit.reached("not all of the workflows ended")
    else:
        kept = yield from keep(execution, number, name, limit, record)
        texts = yield from known(execution, kept, _all_outcomes(execution, kept, ids))
        output = TIMED_OUT if texts is None else serializer.encode(texts)[0]
        execution.buffer(row(execution, number, name, kept.started_us, output))
        if texts is None:
            return limit.reached("not all of the workflows ended")
    for _, error in texts:
        if error is not None:
            opened(execution, number, name, None, error)
    return [opened(execution, number, name, output, None) for output, _ in texts]


def _all_outcomes(execution: Execution, kept: Promise, ids: Sequence[str]) -> Flow[list[list[str | None]] | None]:
    """Output and error of each, as text; waits for one after the other, since all must end."""
    texts: list[list[str | None]] = []
    for workflow_id in ids:
        outcome = yield from found_in_time(execution, kept, end_of(workflow_id))
        if outcome is None:
            return None
        texts.append([outcome.output, outcome.error])
    return texts


def _choose(execution: Execution, kept: Promise, candidates: Sequence[Candidate]) -> Flow[tuple[int, Any] | None]:
    """The place of the wait that is over first, and what it has found; None: the limit was reached before."""
    awaited = [wait for one in candidates for wait in _awaited(one, one.kept or kept)]
    if kept.due_us is not None:
        awaited.append(Awaited(kept.step, kept.name, None, kept.due_us))
    soonest = min((wait.due_us for wait in awaited if wait.due_us is not None), default=None)
    keys = [key for one in candidates if one.target is not None for key in one.target.keys]
    while True:
        found = yield from write(execution, Wait(keys, soonest, _any_over(candidates), execution, awaited))
        if found is not None:
            at, what = found
            return int(at), what
        execution.check()
        now_us = execution.runtime.now_us()
        for at, one in enumerate(candidates):
            if one.kept is not None and one.kept.due_us is not None and one.kept.due_us <= now_us:
                return at, None
        if kept.due_us is not None and kept.due_us <= now_us:
            return None


def _awaited(candidate: Candidate, kept: Promise) -> list[Awaited]:
    keys: Sequence[str | None] = (None,) if candidate.target is None else candidate.target.keys
    detail = None if candidate.target is None else candidate.target.detail
    return [Awaited(kept.step, kept.name, key, kept.due_us, detail) for key in keys if key != ELSEWHERE]


def _any_over(candidates: Sequence[Candidate]) -> Callable[[Reader], tuple[int, object] | None]:
    def look(connection: Reader) -> tuple[int, object] | None:
        with snapshot(connection):  # of those that came together the first in the list wins
            for at, one in enumerate(candidates):
                found = None if one.target is None else one.target.look(connection)
                if found is not None:
                    return at, found
        return None

    return look
