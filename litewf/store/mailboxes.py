"""How a thread that waits for its operation hears of the commit."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from litewf.store.operations import Mailbox, Operation

ABREAST = 2  # threads of a relay that come at once: while one wakes up, another one runs


class ThreadMailbox:
    """For operations whose waiter is a locked lock."""

    def deliver(self, operations: list[Operation]) -> None:
        for operation in operations:
            operation.waiter.release()  # type: ignore[attr-defined]  # put there by the one who waits


THREADS = ThreadMailbox()


def waiter(operation: Operation, mailbox: Mailbox) -> threading.Lock:
    """What a thread waits at for an operation that it is about to submit."""
    operation.waiter = lock = threading.Lock()
    lock.acquire()
    operation.mailbox = mailbox
    return lock


class Bells(list[threading.Lock]):
    """What threads wait at that a signal may interrupt: with a condition, they would forget to take its lock again.

    Everything here is done under one lock of the caller's, and doing it twice does no harm.
    """

    def another(self) -> threading.Lock:
        """One for the calling thread, which acquires it."""
        bell = threading.Lock()
        bell.acquire()
        self.append(bell)
        return bell

    def ring(self) -> None:
        """Let everybody go on; whoever was interrupted has left without a word."""
        for bell in self:
            if bell.locked():
                bell.release()
        self.clear()


class Relay:
    """For operations of the engine's own threads, which wake one after the other.

    Woken all at once, a hundred threads would fight for Python's lock, and their switches would cost more than the
    steps. So each that comes lets the next one come, while it goes on itself. Nobody may leave `wait` before its
    operation is done, or those behind it would wait for ever: so it is not for threads that a signal may interrupt.
    """

    def __init__(self, on_rest: Callable[[], None]) -> None:
        self._on_rest = on_rest
        self._mutex = threading.Lock()
        self._behind: deque[threading.Lock] = deque()
        self._coming = 0  # have been told, and do not run yet

    @property
    def moving(self) -> bool:
        """Whether threads are on their way that will soon have more to write."""
        return self._coming > 0

    def deliver(self, operations: list[Operation]) -> None:
        with self._mutex:
            self._behind.extend(operation.waiter for operation in operations)  # type: ignore[misc]  # as above
            while self._behind and self._coming < ABREAST:
                self._coming += 1
                self._behind.popleft().release()

    def wait(self, lock: threading.Lock) -> None:
        """Wait for the outcome of an operation whose waiter this lock is."""
        lock.acquire()
        with self._mutex:
            if self._behind:
                self._behind.popleft().release()
                return
            self._coming -= 1
        if not self._coming:
            self._on_rest()


def deliver(operations: list[Operation]) -> None:
    """Tell every waiter of a group, each mailbox once.

    The lists belong to the mailboxes from then on, and the group's is emptied: a writer that keeps operations in memory
    while it writes the next ones makes Python's garbage collector look for garbage in vain, again and again.
    """
    mail: dict[Mailbox, list[Operation]] = {}
    for operation in operations:
        if operation.mailbox is not None:
            mail.setdefault(operation.mailbox, []).append(operation)
    operations.clear()
    for mailbox in tuple(mail):
        mailbox.deliver(mail.pop(mailbox))
