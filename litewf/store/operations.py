"""What can be asked of the writer: small operations that gather into one transaction.

An operation is data plus the one way to apply many of its kind. The writer applies the operations of a group kind by
kind, in the order of `rank`; the group commits as one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

import apsw

from litewf.errors import LitewfError

R = TypeVar("R")


class Mailbox(Protocol):
    """Where the outcome of operations goes after the commit."""

    def deliver(self, operations: list[Any], /) -> None:
        """Tell the waiters; called once per group, never under a lock. The list is the mailbox's from then on."""


class Operation:
    """One thing to write. After the commit `error` is set, or `result` holds what came of it."""

    __slots__ = ("error", "mailbox", "result", "touched", "waiter")
    rank: ClassVar[int]
    then: Callable[[Any], None] | None = None  # called with the result once it is durable; a slot of those that have it

    def __init__(self) -> None:
        self.mailbox: Mailbox | None = None
        self.waiter: object = None
        self.result: object = None
        self.error: BaseException | None = None
        self.touched: Sequence[str] = ()  # notifier keys that this change may satisfy

    def follow(self) -> None:
        """Do in memory what has to follow; the caller, whom a signal may have interrupted, need not come back."""
        if self.error is None and self.then is not None:
            try:
                self.then(self.result)
            except Exception as error:  # noqa: BLE001 - the engine ends, or there are too many threads: for the caller
                self.error = error

    @classmethod
    @abstractmethod
    def apply(cls, connection: apsw.Connection, operations: Sequence[Self]) -> None:
        """Write all of them; each gets its result."""


class Turn(Operation, Generic[R]):
    """A function that runs inside the transaction: the general form, for what is not hot.

    It may run again when another operation of the group failed, so it must have no effect but its SQL. It may refuse
    by raising a LitewfError before its first write.
    """

    __slots__ = ("change", "then")
    rank = 20

    def __init__(self, change: Callable[[Tx], R], then: Callable[[R], None] | None = None) -> None:
        super().__init__()
        self.change = change
        self.then = then

    @classmethod
    def apply(cls, connection: apsw.Connection, operations: Sequence[Self]) -> None:
        for operation in operations:
            before = connection.total_changes()
            tx = Tx(connection)
            try:
                operation.result = operation.change(tx)
            except LitewfError as error:
                if connection.total_changes() != before:
                    raise  # half done: the group is rolled back and run one by one
                operation.error = error
            operation.touched = tx.touched


class Tx:
    """An open write transaction, passed to the store's functions so that several compose into one commit."""

    __slots__ = ("connection", "touched")

    def __init__(self, connection: apsw.Connection) -> None:
        self.connection = connection
        self.touched: list[str] = []

    def touch(self, key: str) -> None:
        """Wake those who wait for this key after the commit."""
        self.touched.append(key)
