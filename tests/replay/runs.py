"""Runs of a program, exported, to be checked against another program: bodies as in the tests of executions."""

from pathlib import Path
from typing import Any

import litewf
from litewf.api.upgrades import check_replay
from litewf.histories import ReplayCheck
from tests.execution.support import Flavor

FOREVER = 1e9  # seconds, which a run sleeps to be exported unfinished


class Runs:
    """Runs of one program, exported, to be checked against another."""

    def __init__(self, path: Path, flavor: Flavor) -> None:
        self._path = path
        self._flavor = flavor
        self.bodies: list[str] = []  # steps that ran

    def call(self, *names: str) -> Any:
        """The calls of steps that are only names."""
        for name in names:
            yield self._flavor.do.run_step(self._step(name))

    def _step(self, name: str) -> Any:
        def body() -> str:
            self.bodies.append(name)
            return name

        return litewf.Registry().step(name=name)(self._flavor.function(body))

    def workflow(self, body: Any, name: str = "flow") -> Any:
        return self._flavor.workflow(litewf.Registry(), name=name)(body)

    def export(self, body: Any, *args: Any, **options: Any) -> litewf.History:
        """Run it until it rests; its history."""
        flow = self.workflow(body)
        with litewf.Engine(self._path, registry=flow.registry, linger=0, **options) as engine:
            handle = engine.start_workflow(flow, *args)
            engine.wait_until_idle()
            history = engine.export_workflow(handle.workflow_id)
        self.bodies.clear()
        return history

    def check(self, history: litewf.History, body: Any, serializer: litewf.Serializer | None = None) -> ReplayCheck:
        found = check_replay(history, self.workflow(body), serializer=serializer)
        assert self.bodies == []
        return found
