"""Waiting for what others send, and taking it: the one flow behind recv and wait_event.

What is found is taken in the commit that records it. A value that does not fit the type asked for counts as taken, and
the refusal is the record.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from litewf.engine.execution import Execution
from litewf.engine.recording import opened, recorded, replay, row, settled_turn
from litewf.engine.requests import Flow
from litewf.engine.results import TIMED_OUT, Limit, Spec, Target, arrived
from litewf.errors import PayloadError, SerializationError, UnknownTypeError
from litewf.store.checkpoints import Promise, SettledRow, settle
from litewf.store.endings import owned
from litewf.store.operations import Tx

Convert = Callable[[Any], Any]  # what was sent → what the caller asked for; raises PayloadError


class Found(Protocol):
    """Something that may be taken."""

    @property
    def key(self) -> int: ...


class Inbox(NamedTuple):
    """Where a call receives from."""

    name: str  # of the call, as it is recorded
    missing: str  # what to say when nothing came
    target: Target
    read: Callable[[Any], Any]  # the value of what was found
    take: Callable[[Tx, int, str], bool]  # key, step
    where: str = ""  # the topic
    trace: Callable[[Any], str | None] | None = None  # of whoever sent what was found


class Reception:
    """One call that receives: awaited by itself, or chosen by wait_first, which takes for it what it has found.

    A choice that took nothing might be of something that another takes before the call is awaited.
    """

    def __init__(self, inbox: Callable[[Execution, str], Inbox], limit: Limit, convert: Convert) -> None:
        self._inbox = inbox
        self._limit = limit
        self._convert = convert
        self._taken: tuple[str, str | None, str | None] | None = None  # name, output, error

    def flow(self, execution: Execution, number: str) -> Flow[Any]:
        """The oldest thing that is there or comes in time."""
        if self._taken is not None:
            return opened(execution, number, *self._taken)
        inbox, limit = self._inbox(execution, number), self._limit
        record = recorded(execution, number, inbox.name)
        if record is not None and record.completed_us is not None:
            value = yield from replay(execution, record)
            return limit.reached(inbox.missing) if record.output is TIMED_OUT else value
        while True:
            started_us, found = yield from arrived(execution, number, inbox.name, limit, record, inbox.target)
            if found is None:
                execution.buffer(row(execution, number, inbox.name, started_us, TIMED_OUT))
                return limit.reached(inbox.missing)
            outcome = yield from _take(execution, number, inbox, self._convert, (started_us, found))
            if outcome is not None:
                return opened(execution, number, inbox.name, *outcome)
            # somebody else was faster: go on waiting, until the same deadline

    def spec(self, name: str) -> Spec:
        """What wait_first needs to know of it."""
        return Spec(
            name, self._limit.due, lambda execution, number: self._inbox(execution, number).target, self._choose
        )

    def _choose(self, execution: Execution, kept: Promise, found: Found, choice: Sequence[SettledRow]) -> Flow[bool]:
        """Take what wait_first has found, in the commit that records its choice; False if somebody else was faster."""
        inbox = self._inbox(execution, kept.step)
        outcome = yield from _take(execution, kept.step, inbox, self._convert, (kept.started_us, found), choice)
        if outcome is not None:
            self._taken = (inbox.name, *outcome)
        return outcome is not None


def _converted(
    execution: Execution, number: str, inbox: Inbox, found: Found, convert: Convert
) -> tuple[str | None, str | None]:
    """The record: output or error, as text."""
    try:
        value = inbox.read(found)
    except UnknownTypeError as unknown:
        execution.end("held", f"step {number} ({inbox.name}) cannot be decoded: {unknown}")
    return converted(execution, convert, value)


def converted(execution: Execution, convert: Convert, value: Any) -> tuple[str | None, str | None]:
    """The record of a value as the caller asked for it: output or error, as text."""
    serializer = execution.runtime.serializer
    try:
        return serializer.encode(convert(value))[0], None
    except (PayloadError, SerializationError) as refusal:
        return None, serializer.encode_error(refusal)[0]


def _take(
    execution: Execution,
    number: str,
    inbox: Inbox,
    convert: Convert,
    since_found: tuple[int, Found],
    also: Sequence[SettledRow] = (),
) -> Flow[tuple[str | None, str | None] | None]:
    """Take it and record that, with more records; None if somebody else was faster."""
    started_us, found = since_found
    output, error = _converted(execution, number, inbox, found, convert)

    def change(tx: Tx) -> Any:  # None: the workflow is lost
        if not owned(tx, execution.key, execution.fence):
            return None
        if not inbox.take(tx, found.key, number):
            return False
        settle(tx, [*also, row(execution, number, inbox.name, started_us, output, error)])
        return True

    if not (yield from settled_turn(execution, change)):
        return None
    if (watch := execution.runtime.watch) is not None and inbox.trace is not None:
        watch.received(execution, number, inbox.where, started_us, inbox.trace(found))
    return output, error
