"""Care for the file while everything goes on: backups, and pruning in small batches."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from litewf.engine.requests import Flow, Read
from litewf.errors import StoreUnsupportedError
from litewf.store import backups, managing, place
from litewf.store.operations import Turn

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

PRUNE_BATCH = 200  # workflows in one transaction: a few milliseconds of the writer's time


def backup(path: str | os.PathLike[str]) -> Flow[Path]:
    """A copy of the file as of one moment, complete in itself."""
    target = place.resolve(path)
    if target.exists():
        raise StoreUnsupportedError(f"{target} exists already; a backup never overwrites")
    place.check(target, create=True, header=False, newest=0)
    try:
        yield Read(partial(backups.copy, target=target))
    except FileExistsError as error:
        raise StoreUnsupportedError(f"{target} was created meanwhile; a backup never overwrites") from error
    return target


def prune(runtime: Runtime, age_us: int) -> Flow[int]:
    """Delete what ended longer ago than `age_us`; how many workflows."""
    before_us = runtime.now_us() - age_us
    pruned, after_key = 0, 0
    while keys := (yield Read(partial(managing.prunable, before_us=before_us, limit=PRUNE_BATCH, after_key=after_key))):
        pruned += yield Turn(partial(managing.prune, keys=keys, before_us=before_us))
        after_key = keys[-1]
    return pruned
