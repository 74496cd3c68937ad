"""What an engine could leave behind in its process."""

import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("litewf")}


def threads_beside(others: Collection[threading.Thread]) -> set[str]:
    """The same, without those that another test may have left behind in a body that never ends."""
    return {
        thread.name for thread in threading.enumerate() if thread.name.startswith("litewf") and thread not in others
    }


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def settled(measure: Callable[[], object], expected: object) -> bool:
    """Whether something comes to what is expected; threads take a moment to end."""
    deadline = time.monotonic() + 5
    while measure() != expected:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)  # threads end without a signal
    return True
