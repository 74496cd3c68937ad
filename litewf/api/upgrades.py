"""Whether a program can go on with the runs that another version of it began."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from litewf.api.actions import Action, blocking, query
from litewf.api.client import Client
from litewf.api.workflow import BaseWorkflow
from litewf.engine import histories
from litewf.engine.replay_checks import PATIENCE_S, check
from litewf.histories import History, ReplayCheck
from litewf.registry import Registry, default_registry
from litewf.serialization import JsonSerializer, Serializer
from litewf.store import backups


def check_replay(
    history: History,
    workflow: BaseWorkflow[Any, Any],
    *,
    serializer: Serializer | None = None,
    patience: float = PATIENCE_S,
) -> ReplayCheck:
    """Replay an exported run with a workflow, whose name must be the run's; nothing is written and no step runs.

    `patience` is for code that waits for something else than a durable call.
    """
    registry = workflow.registry
    return check(history, registry, serializer or JsonSerializer(registry.types), patience_s=patience)


def check_upgrade(
    path: str | os.PathLike[str], registry: Registry = default_registry, *, serializer: Serializer | None = None
) -> Iterator[ReplayCheck]:
    """Replay every unfinished workflow of a file with the workflows of a registry, in the order of their creation.

    It works on a copy of the file as of now, so engines may go on meanwhile, and those of an older litewf too: nothing
    is written to the file, and no step runs.
    """
    codec = serializer or JsonSerializer(registry.types)
    for history in _unfinished(path):
        yield check(history, registry, codec)


def _unfinished(path: str | os.PathLike[str]) -> Iterator[History]:
    with tempfile.TemporaryDirectory(prefix="litewf-check-") as directory:
        copy = Path(directory, "copy.db")
        backups.copy_of(path, copy)
        with Copy(copy, registry=Registry()) as client:
            found, after = client.unfinished(0)
            while found:
                yield from found
                found, after = client.unfinished(after)


class Copy(Client):
    """A file that nobody else knows of."""

    def _unfinished(self, after_key: int) -> Action[tuple[list[History], int]]:
        """Some workflows that have not ended, after one; and the key of the last."""
        return query("unfinished", lambda _: histories.unfinished(after_key))

    unfinished = blocking(_unfinished)
