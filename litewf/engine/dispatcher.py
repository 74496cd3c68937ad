"""The one background thread of an engine: it fires alarms, wakes what is due, claims what is ready, notices others.

It sleeps until the next due time or until a commit gives it a reason. Of other processes' commits it hears while its
own engine is quiet; while that is at work, and where the system tells nothing, it looks at the file's version every
20 ms, every 4 ms while others are at it. Each duty is a method; `run_once` does what is due and says when to come back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from litewf.engine import claiming, firing
from litewf.engine.alarms import Alarm
from litewf.engine.idleness import Idleness
from litewf.engine.listening import Listener
from litewf.engine.peers import Peers
from litewf.errors import LitewfError, WorkflowTimeoutError
from litewf.store import cancelling, claims, queues
from litewf.store.claims import HeldCount
from litewf.store.operations import Tx

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

LOG = logging.getLogger("litewf")
FOREIGN_S = 0.02  # between looks for commits of other processes
LIVELY_S = 0.004  # the same, while others have committed within ANSWER_S: they may wait for an answer
ANSWER_S = 0.5
PEERS_S = 0.25  # between looks at the locks of other engines
RETRY_S = 0.25  # after a failure
SELF_S = 1.0  # between looks at the engine's own file and lock
BATCH = 1000  # workflows in one claim or wake-up


class Dispatcher:
    """Drives an engine: nothing happens in the background that is not here."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._serves = runtime.settings.serves
        self._peers = Peers(runtime)
        self._listener = Listener(runtime)
        self._changed = threading.Condition()
        self._ready = True  # something may be ready
        self._all_queues = True  # something may wait on any of them
        self._queues: set[str] = set()  # ... or on these
        self._rates: dict[str, Alarm] = {}  # by queue: when its rate limit allows the next start
        self._latest_us = 0  # that the clock has shown
        self._rounds = 0
        self._next_due_us: int | None = 0  # 0: not read yet
        self._lively_until = 0.0
        self._peers_at = 0.0
        self._self_at = 0.0
        self._passed_over = False  # something may be ready for which no thread was free
        self._launching = True  # not all that was ready at the launch has been claimed
        self._stopping = False
        self._poked = False
        self._asleep_until_us = 0
        self._until_rest: list[threading.Event] | None = []  # to be set once nothing is left to do; None: it is over
        self._trouble: str | None = None  # why the last round failed
        self._thread = threading.Thread(target=self._serve, name="litewf-dispatcher", daemon=True)

    # --- from other threads -----------------------------------------------------------------------------------

    def start(self) -> None:
        self._runtime.world.clock.attach(self._changed, Idleness(self._runtime))
        self._thread.start()

    @property
    def is_stopping(self) -> bool:
        """Whether it begins nothing new."""
        return self._stopping

    def claim_no_more(self) -> None:
        """Begin to stop: what runs may end, nothing new begins."""
        self._stopping = True

    def stop(self, timeout_s: float) -> None:
        self.claim_no_more()
        self.poke()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    def poke(self) -> None:
        """Come back at once."""
        with self._changed:
            self._poked = True
            self._changed.notify()

    def expect_others(self) -> None:
        """Another process is about to commit: look closely."""
        self._lively_until = time.monotonic() + ANSWER_S
        self.poke()

    def poke_before(self, time_us: int) -> None:
        """Come back in time for an alarm, if the thread sleeps beyond it."""
        if time_us < self._asleep_until_us:
            self.poke()

    def at_rest(self) -> threading.Event:
        """An event for the moment when nothing runs here, and nothing is ready or due; it comes at the end, too."""
        event = threading.Event()
        with self._changed:
            if self._until_rest is None:
                event.set()
            else:
                self._until_rest.append(event)
        self.poke()
        return event

    def look_for_ready(self) -> None:
        self._ready = True
        self.poke()

    def thread_is_free(self) -> None:
        """What was passed over for want of a thread may be claimed now."""
        if self._passed_over:
            self._passed_over = False
            self._ready = self._all_queues = True
            self.poke()

    def look_at_queue(self, name: str) -> None:
        if not claiming.serves(self._runtime, name):
            return
        with self._changed:
            self._queues.add(name)
            self._poked = True
            self._changed.notify()

    def expect_due(self, due_us: int) -> None:
        """Something is due then; cheaper than reading it back."""
        if self._bring_forward(due_us):
            self.poke()

    def _bring_forward(self, due_us: int) -> bool:
        """Compare and set as one: the thread and those who commit both do it, and the earlier time must win."""
        with self._changed:
            earlier = self._next_due_us is None or due_us < self._next_due_us
            if earlier:
                self._next_due_us = due_us
            return earlier

    # --- the thread -------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            while not self._stopping:
                until_us = self._attempt()
                if self._until_rest and self._rests(until_us):
                    self._tell_of_rest([])
                if not self._listener.begin():
                    self._sleep(until_us)
        finally:
            self._listener.close()
            self._tell_of_rest(None)

    def _sleep(self, until_us: int | None) -> None:
        with self._changed:
            if not (self._poked or self._stopping):
                wait_us = int(self._pause_s() * 1_000_000)
                if until_us is not None:
                    wait_us = min(wait_us, max(until_us - self._runtime.now_us(), 0))
                self._asleep_until_us = self._runtime.now_us() + wait_us
                self._runtime.world.clock.wait(self._changed, wait_us)
                self._asleep_until_us = 0
            self._poked = False

    def _rests(self, until_us: int | None) -> bool:
        if not self._runtime.is_empty:  # first: what an execution leaves to be done was noted before it left
            return False
        if self._ready or self._all_queues or self._queues or self._trouble is not None:
            return False
        return until_us is None or until_us > self._runtime.now_us()

    def _tell_of_rest(self, following: list[threading.Event] | None) -> None:
        with self._changed:
            told, self._until_rest = self._until_rest, following
        for event in told or ():
            event.set()

    def _pause_s(self) -> float:
        if self._trouble is not None:
            return RETRY_S
        if self._listener.listening:
            return PEERS_S
        return LIVELY_S if time.monotonic() < self._lively_until else FOREIGN_S

    def _attempt(self) -> int | None:
        """`run_once`; after a failure nothing counts as noticed, woken or claimed."""
        try:
            until_us = self.run_once()
        except LitewfError as error:
            if not self._runtime.closed and self._trouble != str(error):
                LOG.warning("litewf could not dispatch: %s; it tries again", error)
            self._trouble = str(error)
        except Exception as error:
            if self._trouble != repr(error):
                LOG.exception("litewf could not dispatch; it tries again")
            self._trouble = repr(error)
        else:
            self._trouble = None
            return until_us
        self._check_self()
        self._ready = self._all_queues = True
        self._next_due_us = 0
        return None

    def run_once(self) -> int | None:
        """Do what is due; when the next thing is."""
        runtime = self._runtime
        self._notice_clock()
        runtime.alarms.fire(runtime.now_us())
        self._notice_others()
        self._look_after()  # first: what a dead engine has started goes before what waits
        if self._serves:
            self._wake_due()
            self._claim_ready()
        return self.next_due_us()

    def next_due_us(self) -> int | None:
        """When there is something to do that no commit announces; 0: the file has to be asked."""
        alarm_us = self._runtime.alarms.next_us()
        times = (self._next_due_us, alarm_us) if self._serves else (alarm_us,)  # what a client sees due is for others
        return min((time_us for time_us in times if time_us is not None), default=None)

    # --- duties -----------------------------------------------------------------------------------------------

    def _notice_clock(self) -> None:
        """A clock that was set back: rate limits wait for times that are too far away now."""
        now_us = self._runtime.now_us()
        if now_us < self._latest_us and self._rates:
            self._all_queues = True
        self._latest_us = now_us

    def _notice_others(self) -> None:
        """Other processes have committed: anything may have come, ended or been cancelled."""
        runtime = self._runtime
        if not runtime.store.writer.changed_by_others() and self._trouble is None:
            return
        self._listener.found()
        self._lively_until = time.monotonic() + ANSWER_S
        self._ready = self._all_queues = True
        self._next_due_us = 0
        self._peers.refresh()
        runtime.notice_others()

    def _wake_due(self) -> None:
        runtime = self._runtime
        if self._next_due_us == 0:
            self._next_due_us = None  # a commit in between sets it again
            found = firing.next_due_us(runtime)
            if found is not None:
                self._bring_forward(found)
        now_us = runtime.now_us()
        if self._next_due_us is None or self._next_due_us > now_us:
            return
        woken = runtime.store.writer.turn(lambda tx: _wake(tx, now_us), inline=True)
        firing.fire(runtime, now_us)
        self._end_overdue(now_us)
        if woken:
            self._ready = True
        self._next_due_us = 0

    def _end_overdue(self, now_us: int) -> None:
        """Cancel what has passed its deadline."""
        if not self._runtime.store.peek(lambda connection: cancelling.overdue(connection, now_us, 1)):
            return
        encode_error = self._runtime.serializer.encode_error

        def change(tx: Tx) -> None:
            for one in cancelling.overdue(tx.connection, now_us, BATCH):
                seconds = (now_us - one.deadline_us) / 1_000_000
                error = WorkflowTimeoutError(
                    f"workflow {one.id!r} ({one.name}) was cancelled: its deadline passed {seconds:.3g} s ago;"
                    " start it with a longer timeout"
                )
                cancelling.cancel(tx, one.key, encode_error(error)[0], now_us)

        self._runtime.store.writer.turn(change, inline=True)

    def _claim_ready(self) -> None:
        runtime = self._runtime
        while (self._ready or self._all_queues or self._queues) and not self._stopping:
            wanted = self._take_reasons()  # before the room is looked at: an execution that ends in between gives one
            self._passed_over = True  # before too: a thread that is free from now on gives a reason
            room = runtime.room(BATCH)
            self._passed_over = bool(room.busy_names)
            if room.limit <= 0:
                self._ready = self._all_queues = True
                return
            self._rounds += 1
            claimed = claiming.claim(runtime, room, wanted, self._rounds)
            if not self._launching:
                _warn_of(claimed.held)
            runtime.take_over(claimed.workflows)
            self._ready = self._ready or claimed.more
            for name in claimed.more_of:
                self.look_at_queue(name)
            for name, due_us in claimed.next_us.items():
                self._look_again(name, due_us)
        if self._launching and not self._stopping:
            self._launching = False
            _warn_at_launch(runtime.store.peek(claims.held_summary))

    def _look_again(self, queue: str, due_us: int | None) -> None:
        """Look at a queue when its rate limit allows the next start; there is one such alarm for each queue."""
        self._runtime.alarms.silence(self._rates.pop(queue, None))
        if due_us is not None:
            self._rates[queue] = self._runtime.alarms.at(due_us, lambda: self.look_at_queue(queue))

    def _take_reasons(self) -> Collection[str] | None:
        """The queues to look at, None for all; whoever sets a reason from now on is heard in the next round."""
        with self._changed:
            wanted = None if self._all_queues else self._queues
            self._ready = self._all_queues = False
            self._queues = set()
        return wanted

    def _look_after(self) -> None:
        """Locks, the file itself, and what could not be given back."""
        now = time.monotonic()
        if now >= self._self_at:
            self._self_at = now + SELF_S
            self._check_self()
        if now >= self._peers_at and self._serves and not self._stopping:
            self._peers_at = now + PEERS_S
            self._runtime.giving_back.run_once()
            self._runtime.announcing.run_once()
            if self._peers.look():
                self._ready = self._all_queues = True

    def _check_self(self) -> None:
        """Stop when the file or the lock is not this engine's any more."""
        try:
            self._runtime.store.check()
        except LitewfError as error:
            self._stopping = True
            self._runtime.lose(error)


def _wake(tx: Tx, now_us: int) -> int:
    """Make ready what is due, on queues and elsewhere; how many may be claimed outside of queues."""
    queues.wake_delayed(tx, now_us, BATCH)
    return claims.wake_due(tx, now_us, BATCH)


def _warn_of(held: Sequence[tuple[str, str]]) -> None:
    """One line for each reason, however many workflows it holds."""
    by_reason: dict[str, list[str]] = {}
    for workflow_id, reason in held:
        by_reason.setdefault(reason, []).append(workflow_id)
    for reason, ids in by_reason.items():
        others = f" and {len(ids) - 1} others are" if len(ids) > 1 else " is"
        LOG.warning("workflow %r%s held: %s", ids[0], others, reason, extra={"workflow_id": ids[0]})


def _warn_at_launch(held: Sequence[HeldCount]) -> None:
    """What no engine goes on with must not go unnoticed: count it and say why."""
    if held:
        count = sum(one.workflows for one in held)
        LOG.warning("%s held, nothing here runs what is: %s; list_workflows(held=True) shows it",
                    "1 workflow is" if count == 1 else f"{count} workflows are",
                    "; ".join(f"{one.workflows} of {one.name!r}: {one.reason}" for one in held))  # fmt: skip
