"""Automatic pruning: finished workflows go by age and by count, a few at a time, and their space is given back.

Each transaction is sized by how long the one before it took, so that nobody waits for the writer longer than for a
commit or two. A workflow with a long history loses that in parts before it goes itself.
"""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import TYPE_CHECKING

from litewf.durations import optional_duration_us
from litewf.errors import EngineClosedError, LitewfError
from litewf.records import Retention
from litewf.store import managing, pruning
from litewf.store.operations import Tx

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

LOG = logging.getLogger("litewf")
EVERY_US = 60_000_000  # between two rounds
AIM_S = 0.01  # of one transaction
FEWEST, MOST = 5, 500  # workflows in one transaction
ROWS = 2_000  # of one history in one transaction
PAGES = 200  # given back in one transaction


class Pruner:
    """Keeps the finished workflows of a file within the limits of an engine."""

    def __init__(self, runtime: Runtime, kept: Retention) -> None:
        self._runtime = runtime
        self._age_us = optional_duration_us(kept.age, "age")
        self._count = kept.count
        self._batch = 50

    def start(self) -> None:
        """Prune now, and again and again."""
        self._at(self._runtime.now_us())

    def _at(self, due_us: int) -> None:
        delay_us = max(due_us - self._runtime.now_us(), 0)
        self._runtime.alarm(delay_us, lambda: self._runtime.pool.submit(self._round))

    def _round(self) -> None:
        next_us = self._runtime.now_us() + EVERY_US  # counted from the beginning: the clock may move meanwhile
        try:
            pruned = self.run_once()
        except EngineClosedError:
            return
        except LitewfError as error:
            LOG.warning("litewf could not prune finished workflows: %s; it tries again", error)
        else:
            if pruned:
                LOG.info("pruned %d finished workflows", pruned)
        if not self._runtime.closed:
            self._at(next_us)

    def run_once(self) -> int:
        """Delete what is too old or too much; how many workflows."""
        runtime = self._runtime
        now_us = runtime.now_us()
        before_us = None if self._age_us is None else now_us - self._age_us
        newest_key = runtime.store.read(lambda connection: pruning.surplus(connection, self._count))
        pruned = sum(self._prune(limit) for limit in _limits(now_us, before_us, newest_key))
        while pruned and not runtime.closed and self._give_back():
            pass
        return pruned

    def _prune(self, limit: pruning.Limit) -> int:
        pruned, after_key = 0, 0
        while not self._runtime.closed:
            found = partial(pruning.expired, limit=limit, after_key=after_key, most=self._batch)
            keys = self._runtime.store.read(found)
            if not keys:
                break
            pruned += self._delete(keys)
            after_key = keys[-1]
        return pruned

    def _delete(self, keys: list[int]) -> int:
        for key in self._runtime.store.read(lambda connection: pruning.long_ones(connection, keys, ROWS)):
            while self._runtime.store.writer.turn(partial(pruning.shorten, key=key, rows=ROWS)):
                pass
        took = 0.0

        def change(tx: Tx) -> int:
            nonlocal took
            began = time.monotonic()
            deleted = managing.prune(tx, keys, pruning.FOR_EVER)
            took = time.monotonic() - began
            return deleted

        deleted = self._runtime.store.writer.turn(change)
        scale = AIM_S / max(took, AIM_S / 4)
        self._batch = max(FEWEST, min(MOST, int(self._batch * min(scale, 2.0))))
        return deleted

    def _give_back(self) -> bool:
        """Return some free pages to the file system; whether there may be more."""
        return self._runtime.store.writer.turn(lambda tx: pruning.give_back(tx, PAGES))


def _limits(now_us: int, before_us: int | None, newest_key: int | None) -> list[pruning.Limit]:
    limits = []
    if before_us is not None:
        limits.append(pruning.Limit(now_us, before_us=before_us))
    if newest_key is not None:
        limits.append(pruning.Limit(now_us, up_to_key=newest_key))
    return limits
