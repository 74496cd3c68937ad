"""Wakes in-memory waits when a commit touched what they wait for.

A wait registers before it looks at the file, so a commit in between is not missed. Commits of other processes are
answered by one query over all keys that somebody waits for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from litewf.engine.requests import Wait
    from litewf.store.operations import Mailbox


class Notifier:
    """Waits by the keys that wake them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waits: dict[str, list[Wait]] = {}

    def register(self, wait: Wait) -> None:
        with self._lock:
            for key in wait.keys:
                self._waits.setdefault(key, []).append(wait)

    def forget(self, wait: Wait) -> None:
        with self._lock:
            for key in wait.keys:
                waits = self._waits.get(key)
                if waits is not None and wait in waits:
                    waits.remove(wait)
                    if not waits:
                        del self._waits[key]

    def touch(self, keys: Iterable[str]) -> None:
        """Wake those who wait for one of these keys."""
        if not self._waits:
            return
        with self._lock:
            found = [wait for key in keys for wait in self._waits.get(key, ())]
        self.wake(found)

    def awaited(self) -> list[str]:
        """Everything that somebody waits for."""
        with self._lock:
            return list(self._waits)

    def wake(self, waits: Sequence[Wait]) -> None:
        """Let these look again."""
        for wait in waits:
            wait.woken = True
        self.ring(waits)

    def ring(self, waits: Sequence[Wait]) -> None:
        """Let these consider their time and whether to park, without another look."""
        mail: dict[Mailbox, list[Wait]] = {}
        for wait in waits:
            if wait.mailbox is not None:
                mail.setdefault(wait.mailbox, []).append(wait)
        for mailbox, delivered in mail.items():
            mailbox.deliver(delivered)
