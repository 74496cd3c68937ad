"""Care for the file while everything goes on: backups, and pruning in small batches."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from litewf.errors import StoreUnsupportedError
from litewf.store import backups, managing, place
from litewf.store.operations import Tx

if TYPE_CHECKING:
    from litewf.engine.runtime import Runtime

PRUNE_BATCH = 200  # workflows in one transaction: a few milliseconds of the writer's time


def backup(runtime: Runtime, path: str | os.PathLike[str]) -> Path:
    """A copy of the file as of one moment, complete in itself."""
    target = place.resolve(path)
    if target.exists():
        raise StoreUnsupportedError(f"{target} exists already; a backup never overwrites")
    place.check(target, create=True, header=False, newest=0)
    try:
        runtime.store.read(lambda connection: backups.copy(connection, target))
    except FileExistsError as error:
        raise StoreUnsupportedError(f"{target} was created meanwhile; a backup never overwrites") from error
    return target


def prune(runtime: Runtime, age_us: int) -> int:
    """Delete what ended longer ago than `age_us`; how many workflows."""
    before_us = runtime.now_us() - age_us
    pruned, after_key = 0, 0
    while True:
        keys = runtime.store.read(
            lambda connection: managing.prunable(connection, before_us, PRUNE_BATCH, after_key)  # noqa: B023 - run before the next round
        )
        if not keys:
            return pruned

        def change(tx: Tx, keys: tuple[int, ...] = tuple(keys)) -> int:
            return managing.prune(tx, keys, before_us)

        pruned += runtime.store.writer.turn(change)
        after_key = keys[-1]
