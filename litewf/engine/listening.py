"""Hears of other processes' commits while this engine is quiet, so that the dispatcher need not look all the time.

An engine's own commits would be heard too, so it listens only after it has written nothing for a while. Where the
system tells nothing, or has not told of a commit that a look then found, the dispatcher goes on looking.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from litewf.errors import StoreError
from litewf.store.ear import Ear

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

QUIET_S = 0.25  # without a commit of its own, before an engine listens
SYNC_S = 0.1  # that a commit may take from its write, which is heard, to where it is seen
MISSES = 3  # commits in a row that were not heard, before it takes itself for deaf


class Listener:
    """A thread that wakes the dispatcher after the next write to the file; it begins when it is first needed."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._ear: Ear | None = None
        self._thread: threading.Thread | None = None
        self._deaf = False
        self._listening = False
        self._began = 0.0
        self._missed = 0
        self._transactions = 0
        self._quiet_since = time.monotonic()

    @property
    def listening(self) -> bool:
        """Whether every commit of another process wakes the dispatcher that it does not see at once.

        One that was written just before, and not heard, has been synced by now and is seen.
        """
        return self._listening and time.monotonic() - self._began >= SYNC_S

    def begin(self) -> bool:
        """Listen if all is quiet; True if that is new, so that what came before has to be looked for once more."""
        writer = self._runtime.store.writer
        if writer.transactions != self._transactions:
            self._transactions, self._quiet_since = writer.transactions, time.monotonic()
            return False
        if self._listening or self._deaf or time.monotonic() - self._quiet_since < QUIET_S:
            return False
        try:
            if self._ear is None and not self._open():
                return False
            assert self._ear is not None
            self._listening, self._began = True, time.monotonic()
            self._ear.prick()
        except StoreError:
            self._stop_listening()
            return False
        return True

    def found(self) -> None:
        """A look has found a commit of another process; one that should have been heard may yet be."""
        if self.listening:
            self._missed += 1
            if self._missed >= MISSES:
                self._stop_listening()

    def close(self) -> None:
        self._deaf = True
        if self._ear is not None:
            self._ear.close()
            self._ear = None
        if self._thread is not None:
            self._thread.join()

    def _open(self) -> bool:
        self._ear = self._runtime.store.ear()
        if self._ear is None:
            self._deaf = True
            return False
        self._thread = threading.Thread(target=self._hear, args=(self._ear,), name="litewf-listener", daemon=True)
        self._thread.start()
        return True

    def _stop_listening(self) -> None:
        self._listening = False
        self.close()

    def _hear(self, ear: Ear) -> None:
        while ear.hear():
            self._missed = 0
            self._listening = False
            # the first write of a commit is heard, and it is seen only once it is on the disk: until then, look
            self._quiet_since = time.monotonic()
            self._runtime.dispatcher.expect_others()
