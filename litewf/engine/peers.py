"""Other engines on the same file: noticing that one has died, and taking back its workflows."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from litewf.store import executors, lockfile
from litewf.store.executors import Executor
from litewf.store.lockfile import Peer

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

LOG = logging.getLogger("litewf")
MISSING_S = 3.0  # a lock file that is gone this long: its owner has noticed too, and stopped


class Peers:
    """The other engines, as the file lists them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._others: list[Executor] | None = None
        self._swept = False
        self._missing_since: dict[int, float] = {}

    def refresh(self) -> None:
        """Other processes have written: the list may have changed."""
        self._others = None

    def look(self) -> bool:
        """Take back what dead engines left; whether there was any."""
        store = self._runtime.store
        # before the list: a row that comes later belongs to a file that is locked
        found = [] if self._swept else lockfile.names_beside(store.path)
        if self._others is None:
            key = self._runtime.able.executor
            self._others = store.peek(lambda connection: executors.others(connection, key))
        if not self._swept:
            self._sweep(found, self._others)
            self._swept = True
        dead = [peer for peer in self._others if self._is_dead(peer)]
        for peer in dead:
            self._take_back(peer)
        if dead:
            self._others = None
        return bool(dead)

    def _sweep(self, found: list[str], others: list[Executor]) -> None:
        """Remove the lock files of processes that died before they had a row, or after it was taken back."""
        store = self._runtime.store
        known = {peer.lock_name for peer in others}
        if store.lock is not None:
            known.add(store.lock.name)
        for name in found:
            if name not in known:
                lockfile.remove_dead(store.path, name)

    def _is_dead(self, peer: Executor) -> bool:
        state = lockfile.probe(self._runtime.store.path, peer.lock_name)
        if state is not Peer.MISSING:
            self._missing_since.pop(peer.key, None)
            return state is Peer.DEAD
        since = self._missing_since.setdefault(peer.key, time.monotonic())
        return time.monotonic() - since >= MISSING_S

    def _take_back(self, peer: Executor) -> None:
        runtime = self._runtime
        now_us = runtime.now_us()
        limits = {name: definition.max_recovery_attempts for name, definition in runtime.registry.workflows.items()}
        found = runtime.store.writer.turn(
            lambda tx: executors.recover(
                tx, peer.key, now_us, limits, lambda error: runtime.serializer.encode_error(error)[0]
            ),
            inline=True,
        )
        lockfile.remove_dead(runtime.store.path, peer.lock_name)
        self._missing_since.pop(peer.key, None)
        if found.ready:
            LOG.info("recovered %d workflows of %s (pid %d), which has died", found.ready, peer.label, peer.pid)
        for workflow_id in found.given_up:
            LOG.error("workflow %r was given up: its process died too often without a new step", workflow_id,
                      extra={"workflow_id": workflow_id})  # fmt: skip
