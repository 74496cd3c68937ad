"""What this process holds and burns: resident bytes, threads, CPU time."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import threading
import time
from pathlib import Path

GLANCE = 0.25
STEADY_GLANCES = 4
PATIENCE = 120.0


def settled() -> float:
    """Wait until the resident size stands still for some glances, and return it in bytes."""
    gc.collect()
    deadline = time.monotonic() + PATIENCE
    size, steady = resident_bytes(), 0
    while steady < STEADY_GLANCES and time.monotonic() < deadline:
        time.sleep(GLANCE)
        seen = resident_bytes()
        steady = steady + 1 if abs(seen - size) <= size * 0.001 else 0
        size = seen
    return size


def at_rest(before: float, workflows: int, seconds: float) -> dict[str, float]:
    """The figures of so many workflows at rest, given the resident size before they were started."""
    after = settled()
    return {
        "bytes_each": max(0.0, after - before) / workflows,
        "resident_mb": after / 1e6,
        "threads": thread_count(),
        "cpu_percent": cpu_percent(seconds),
    }


def resident_bytes() -> float:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    arguments = ["/bin/ps", "-o", "rss=", "-p", str(os.getpid())]
    return int(subprocess.check_output(arguments, text=True)) * 1_024  # noqa: S603 - a fixed program


def thread_count() -> int:
    """Native threads too, where the system tells."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()


def cpu_percent(seconds: float) -> float:
    """The share of one core that this process uses over so many seconds of rest."""
    used, began = time.process_time(), time.monotonic()
    time.sleep(seconds)
    return 100 * (time.process_time() - used) / (time.monotonic() - began)
