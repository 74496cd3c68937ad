"""Steps: a body runs unless its outcome is recorded, and its outcome is recorded.

`step` is the general form; `engine/plain_steps.py` is the short way for one plain attempt with one commit after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from litewf.definitions import StepDefinition
from litewf.engine.carrying import carried, uncarried
from litewf.engine.execution import NO_STREAMS, Execution, StepFrame
from litewf.engine.failures import log_failure, not_an_outcome, say_whose_result, traced
from litewf.engine.recording import flush, opened, promised, recorded, replay, write
from litewf.engine.requests import Flow
from litewf.engine.sleeps import until
from litewf.errors import (
    StepRetriesExceededError,
    StepUncertainError,
)
from litewf.serialization.exceptions import message_of
from litewf.store import streams
from litewf.store.checkpoints import Checkpoint, Promise, StepRow, settle
from litewf.store.operations import Turn, Tx
from litewf.store.waits import announce, stream_key
from litewf.store.wide import Value

INTENT = '"intent"'  # the output of an unsettled step whose body may have begun


class NotDone:
    """What a probe of an uncertain step returns when the body has to run."""

    def __repr__(self) -> str:
        return "litewf.NOT_DONE"


NOT_DONE = NotDone()


def step(
    execution: Execution, number: str, definition: StepDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Flow[Any]:
    """Run a body unless its outcome is recorded; record the outcome."""
    record = recorded(execution, number, definition.name)
    if record is not None and record.completed_us is not None:
        return (yield from replay(execution, record))
    if execution.buffered or execution.unconfirmed:
        yield from flush(execution)
    if (watch := execution.runtime.watch) is not None:
        definition = replace(definition, fn=watch.body(definition.fn, is_async=definition.is_async))
    return (yield from Attempts(execution, number, definition, args, kwargs, record).run())


def settled_values(
    execution: Execution, frame: StepFrame, output: str | None, error: str | None, attempts: int
) -> tuple[Value, ...]:
    """The record of a step, alone: what is buffered now another branch has seen since the body began."""
    now_us = execution.now_us()
    return (
        execution.key, execution.fence, frame.number, frame.definition.name, output, error, attempts, frame.started_us,
        now_us,
    )  # fmt: skip


def settle_step(
    execution: Execution, frame: StepFrame, output: str | None, error: str | None, attempts: int
) -> Flow[None]:
    """Record the outcome of a step."""
    checkpoint = Checkpoint(settled_values(execution, frame, output, error, attempts))
    if frame.streams:
        yield from settle_streamed(execution, frame, checkpoint)
        return
    if not (yield from write(execution, checkpoint)):
        execution.end("lost")


def settle_streamed(execution: Execution, frame: StepFrame, checkpoint: Checkpoint) -> Flow[None]:
    """Record the outcome of a step that has written to streams: what this attempt wrote is on record from now on."""
    rows = checkpoint.rows

    def change(tx: Tx) -> bool:
        if not settle(tx, rows):
            return False
        for name in streams.decide(tx, execution.key, execution.fence, frame.number, frame.attempt):
            announce(tx, stream_key(execution.id, name))
        return True

    if not (yield from write(execution, Turn(change))):
        execution.end("lost")


class Attempts:
    """A step with retries, a timeout, or a body that must not run twice unasked."""

    def __init__(
        self,
        execution: Execution,
        number: str,
        definition: StepDefinition,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        record: StepRow | None,
    ) -> None:
        self.execution = execution
        self.number = number
        self.definition = definition
        self.args = args
        self.kwargs = kwargs
        self.serializer = execution.runtime.serializer
        self.started_us = execution.now_us() if record is None else record.started_us
        self.done = 0 if record is None else record.attempts
        self.due_us = None if record is None else record.due_us
        self.uncertain = record is not None and record.output == INTENT
        self.exhausted = False
        self.current: StepFrame | None = None  # the attempt that runs or ran last
        self.streams = NO_STREAMS  # that any attempt has written to
        self.errors: list[BaseException] = []
        if record is not None and record.error is not None:
            texts = opened(execution, number, definition.name, record.error, None)
            assert isinstance(texts, list)
            self.errors = [self.serializer.decode_error_lenient(text) for text in texts]

    def run(self) -> Flow[Any]:
        """Attempt until it succeeds or may not be tried again."""
        while True:
            yield from self._wait_until_due()
            failure: BaseException
            try:
                result = yield from self._attempt()
            except BaseException as raised:  # noqa: BLE001 - the outcome of user code
                failure = uncarried(raised)
                if not isinstance(failure, Exception):
                    failure = not_an_outcome(self.execution, self._frame(), failure)
            else:
                return (yield from self._succeed(result))
            self.done += 1
            self.errors.append(failure)
            if not self._may_retry(failure):
                log_failure(self.execution, self.number, self.definition.name, self.done, failure)
                yield from self._fail(self._final(failure))
            self._schedule_retry(failure)
            yield from promised(self.execution, [self._promise(INTENT if self.uncertain else None)])

    def _frame(self) -> StepFrame:
        return self._frame_of(self.definition)

    def _frame_of(self, definition: StepDefinition) -> StepFrame:
        frame = StepFrame(self.execution, self.number, definition, self.done + 1, self.args, self.kwargs)
        frame.started_us = self.started_us
        return frame

    def _attempt(self) -> Flow[Any]:
        self.current = None
        if self.uncertain:
            result = yield from self._ask_what_happened()
            self.uncertain = False
            if result is not NOT_DONE:
                return result
        if self.definition.on_uncertain != "rerun":
            yield from promised(self.execution, [self._promise(INTENT)])
            if self.execution.over is not None:  # cancelled in between: the body has not begun, and that is certain
                yield from promised(self.execution, [self._promise()])
        self.execution.check()
        return (yield from self._run(self._frame()))

    def _run(self, frame: StepFrame) -> Flow[Any]:
        self.current = frame
        try:
            return (yield frame)
        finally:
            self.streams |= frame.streams

    def _ask_what_happened(self) -> Flow[Any]:
        probe = self.definition.on_uncertain
        if callable(probe):
            asking = replace(self.definition, fn=probe, is_async=self.execution.runtime.is_async(probe))
            return (yield from self._run(self._frame_of(asking)))
        if probe == "rerun":
            return NOT_DONE
        raise StepUncertainError(
            f"{self._label()}: the process died inside the body, so it may have happened; find out, then fork or rewind"
            " the workflow from this step, or give on_uncertain a probe"
        )

    def _succeed(self, result: object) -> Flow[Any]:
        try:
            output, copy = self.serializer.encode(result)
        except Exception as refused:  # noqa: BLE001 - the body has done its work: it must not run again for this
            say_whose_result(refused, self._settled())
            self.done += 1
            yield from self._fail(refused)
        yield from settle_step(self.execution, self._settled(), output, None, self.done + 1)
        return copy

    def _settled(self) -> StepFrame:
        """The attempt that goes on record."""
        frame = self.current or self._frame()
        frame.streams = self.streams
        return frame

    def _may_retry(self, failure: BaseException) -> bool:
        """Whether to try again; `exhausted` tells whether it is only for want of retries that not."""
        policy = self.definition.policy
        if not policy.max_retries or not isinstance(failure, Exception) or isinstance(failure, StepUncertainError):
            return False
        try:
            accepted = policy.accepts(failure)
        except Exception as broken:  # noqa: BLE001 - a predicate is user code
            broken.__cause__ = broken.__cause__ or failure
            self.errors[-1] = broken
            return False
        self.exhausted = accepted and self.done > policy.max_retries
        return accepted and not self.exhausted

    def _schedule_retry(self, failure: BaseException) -> None:
        runtime = self.execution.runtime
        delay_us = self.definition.policy.delay_us(self.done, runtime.world.entropy.random())
        self.due_us = runtime.now_us() + delay_us
        then = f"; the next attempt is in {delay_us / 1_000_000:g} s"
        log_failure(self.execution, self.number, self.definition.name, self.done, failure, then)

    def _label(self) -> str:
        return f"step {self.number} ({self.definition.name}) of {self.execution.label}"

    def _promise(self, output: str | None = None) -> Promise:
        encode_error = self.serializer.encode_error
        errors = self.serializer.encode([encode_error(error)[0] for error in self.errors])[0] if self.errors else None
        return Promise(self.number, self.definition.name, self.started_us, self.due_us, self.done, errors, output)

    def _wait_until_due(self) -> Flow[None]:
        if self.due_us is not None:
            yield from until(self.execution, self._promise(), self.due_us)
        self.due_us = None

    def _final(self, failure: BaseException) -> BaseException:
        """What the workflow gets when there is no further attempt."""
        if not self.exhausted:
            return self.errors[-1]
        exceeded = StepRetriesExceededError(
            f"{self._label()} failed on each of its {self.done} attempts; the last error was"
            f" {type(failure).__name__}: {message_of(failure) or ''}",
            list(self.errors),
        )
        exceeded.__cause__ = failure
        return exceeded

    def _fail(self, failure: BaseException) -> Flow[NoReturn]:
        error, copy = self.serializer.encode_error(failure)
        yield from settle_step(self.execution, self._settled(), None, error, self.done)
        raise carried(traced(copy, failure))
