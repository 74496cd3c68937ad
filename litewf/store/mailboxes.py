"""How a thread that waits for its operation hears of the commit."""

from __future__ import annotations

from litewf.store.operations import Mailbox, Operation


class ThreadMailbox:
    """For operations whose waiter is a locked lock."""

    def deliver(self, operations: list[Operation]) -> None:
        for operation in operations:
            operation.waiter.release()  # type: ignore[attr-defined]  # put there by the one who waits


THREADS = ThreadMailbox()


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
