"""The disk as a test's own: recorded, cut off at any moment, or failing at any operation.

A run is recorded once; every prefix of what it did to its files is a moment at which the process may die or the power
may go, and for each the images are what a disk may hold then. Nothing is run again for it but the recovery.
"""

from __future__ import annotations

from litewf.testing.disk.faults import ERRORS, OPERATIONS, Fault, fail_everywhere
from litewf.testing.disk.images import DAMAGES, POWER, PROCESS, Cut, Image, distinct, every_cut, images, sample
from litewf.testing.disk.layer import Watcher, watched
from litewf.testing.disk.recording import Mark, Operation, Recording, recorded

__all__ = [
    "DAMAGES", "ERRORS", "OPERATIONS", "POWER", "PROCESS", "Cut", "Fault", "Image", "Mark", "Operation", "Recording",
    "Watcher", "distinct", "every_cut", "fail_everywhere", "images", "recorded", "sample", "watched",
]  # fmt: skip
