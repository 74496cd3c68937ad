"""How a thread that waits for its operation hears of the commit."""

from __future__ import annotations

from collections.abc import Sequence

from litewf.store.operations import Mailbox, Operation


class ThreadMailbox:
    """For operations whose waiter is a locked lock."""

    def deliver(self, operations: Sequence[Operation]) -> None:
        for operation in operations:
            operation.waiter.release()  # type: ignore[attr-defined]  # put there by the one who waits


THREADS = ThreadMailbox()


def deliver(operations: Sequence[Operation]) -> None:
    """Tell every waiter of a group, each mailbox once."""
    mail: dict[Mailbox, list[Operation]] = {}
    for operation in operations:
        if operation.mailbox is not None:
            mail.setdefault(operation.mailbox, []).append(operation)
    for mailbox, delivered in mail.items():
        mailbox.deliver(delivered)
