"""What an engine takes from the outside: time, randomness, and the places where a test may end its life.

The engine and the store ask a `World` and nothing else, so that a test can run a whole engine under virtual time,
kill it at each commit in turn, and get the same ids from the same seed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from uuid import UUID

    from litewf.definitions import StepDefinition

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST, LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
STOCK = 100  # ids
DIGITS = 19  # of randomness in each
VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))  # RFC 9562: this digit begins with the bits 10


class Clocked(Protocol):
    """What a clock may know of an engine that asks it for the time."""

    @property
    def closed(self) -> bool: ...

    @property
    def activity(self) -> int: ...  # how much was done so far

    def is_idle(self, *, despite_bodies: bool = False) -> bool: ...

    def is_awaited(self) -> bool: ...

    def next_due_us(self) -> int | None: ...

    def poke(self) -> None: ...

    def labels(self) -> list[str]: ...


class Clock:
    """The system's clock. Times are microseconds since 1970 in UTC."""

    def attach(self, waiting: threading.Condition, engine: Clocked) -> None:
        """Called by each engine before its first `wait`, which will be on that condition."""

    def now_us(self) -> int:
        return time.time_ns() // 1000

    def wait(self, condition: threading.Condition, timeout_us: int) -> None:
        """Wait, holding `condition`, until it is notified or the time has passed; may return early."""
        condition.wait(timeout_us / 1_000_000)


class Entropy:
    """The source of ids and randomness; the same seed gives the same ids."""

    def __init__(self, seed: int | None = None) -> None:
        import random  # noqa: PLC0415 - an engine needs it, `import litewf` does not

        self._random = random.SystemRandom() if seed is None else random.Random(seed)
        self._draw = self._drawn if seed is None else lambda: f"{self._random.getrandbits(DIGITS * 4):0{DIGITS}x}"
        self._drawer = 0  # the process that has drawn ...
        self._stock: list[str] = []  # ... these
        self._prefix = -1, ""  # of the ids of one millisecond

    def random(self) -> float:
        return self._random.random()

    def uuid4(self) -> UUID:
        import uuid  # noqa: PLC0415 - as above

        return uuid.UUID(int=self._random.getrandbits(128), version=4)

    def uuid7(self, now_us: int) -> str:
        """A UUIDv7 (RFC 9562): ids made later sort later, which keeps inserts at the end of the index."""
        now_ms = now_us // 1000
        known_ms, prefix = self._prefix
        if now_ms != known_ms:
            prefix = f"{now_ms >> 16:08x}-{now_ms & 0xFFFF:04x}-7"
            self._prefix = now_ms, prefix
        low = self._draw()
        return f"{prefix}{low[:3]}-{VARIANT[low[3]]}{low[4:7]}-{low[7:]}"

    def _drawn(self) -> str:
        """Digits of the system's randomness: asked for a hundred at a time, as a call costs more than all the rest."""
        if self._drawer != os.getpid():  # a fork must not draw what its parent draws
            self._drawer, self._stock = os.getpid(), []
        try:
            drawn = self._stock.pop()  # atomic: no two threads get the same
        except IndexError:
            fresh = os.urandom(DIGITS * STOCK // 2).hex()
            self._stock += [fresh[at : at + DIGITS] for at in range(DIGITS, DIGITS * STOCK, DIGITS)]
            drawn = fresh[:DIGITS]
        return drawn


def _live_on(point: str) -> None:
    """Do nothing: outside tests no crash point is fatal."""


class World:
    """Time, randomness, crash points and the disk, handed to an engine as one.

    `reach` is called with the name of each crash point, which is "commit", "transaction" (of a user) or "migration"
    with ".before" or ".after"; a test's own version raises there, and from then on always. `around` gives what is
    called in place of the body of a step; None calls the body itself. `vfs` names the SQLite file layer that the file
    is opened through, None for the system's own; it must have been registered with apsw.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        reach: Callable[[str], None] = _live_on,
        around: Callable[[StepDefinition], Callable[..., Any]] | None = None,
        vfs: str | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.entropy = entropy or Entropy()
        self.reach = reach
        self.around = around
        self.vfs = vfs
        self.now_us = self.clock.now_us
        own = type(self.clock).now_us is not Clock.now_us
        # The same for the hot path: the system's clock is a call into C.
        self.now_ns: Callable[[], int] = (lambda: 1000 * self.now_us()) if own else time.time_ns

    def workflow_id(self) -> str:
        return self.entropy.uuid7(self.now_us())


def moment(us: int) -> datetime:
    """A stored time as an aware datetime; one beyond the calendar, which somebody wrote by hand, as its end."""
    try:
        return EPOCH + timedelta(microseconds=us)
    except OverflowError:
        return LATEST if us > 0 else EARLIEST


def moment_if(us: int | None) -> datetime | None:
    """A stored time that may be missing."""
    return None if us is None else moment(us)


def boot_token() -> str:
    """A name that no engine start ever had before."""
    return f"{os.getpid()}-{os.urandom(6).hex()}"
