"""What an execution has yet to record, and which of its commits carries that.

One commit at a time carries what is buffered. Who has something to write that relies on it waits until it is there,
rather than write it once more: a thousand branches would each write the values of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from litewf.store.checkpoints import SettledRow

if TYPE_CHECKING:
    import asyncio

NO_ROWS: list[SettledRow] = []  # until there is one
NOBODY: list[asyncio.Future[None]] = []


class Buffering:
    """The part of an execution that knows which outcomes are not in the file yet."""

    __slots__ = ("buffered", "carried", "unconfirmed", "waiting")

    buffered: list[SettledRow]  # to be carried by the next commit that may
    unconfirmed: Sequence[SettledRow]  # carried by a commit that is not known to have happened
    carried: int  # how many are known to be in the file
    waiting: list[asyncio.Future[None]]  # of those who wait for the commit that carries

    def buffer(self, row: SettledRow) -> None:
        """Let the next commit record this."""
        if self.buffered is NO_ROWS:
            self.buffered = []
        self.buffered.append(row)

    @property
    def unwritten(self) -> Sequence[SettledRow]:
        """All that may not be in the file yet; to settle a step twice changes nothing."""
        return (*self.unconfirmed, *self.buffered)

    @property
    def known(self) -> int:
        """How many outcomes there were so far: all are in the file once as many have been `carried`."""
        return self.carried + len(self.unconfirmed) + len(self.buffered)

    def take_buffered(self) -> Sequence[SettledRow]:
        """What is buffered, for a commit that carries it; then `confirm` it or `give_back`."""
        assert not self.unconfirmed, "one commit at a time carries"
        self.unconfirmed, self.buffered = self.buffered, NO_ROWS
        return self.unconfirmed

    def confirm(self) -> None:
        """The commit that carries has happened."""
        self.carried += len(self.unconfirmed)
        self.unconfirmed = NO_ROWS
        self._wake()

    def give_back(self) -> None:
        """The commit that carries failed, or was not waited for: the next one has to carry the same."""
        self.buffered = [*self.unconfirmed, *self.buffered]
        self.unconfirmed = NO_ROWS
        self._wake()

    def wait_for_flush(self, waiter: asyncio.Future[None]) -> None:
        """Settle this when it is known what became of the commit that carries."""
        if self.waiting is NOBODY:
            self.waiting = []
        self.waiting.append(waiter)

    def _wake(self) -> None:
        waiting, self.waiting = self.waiting, NOBODY
        for waiter in waiting:
            if not waiter.done() and not waiter.get_loop().is_closed():
                waiter.set_result(None)
