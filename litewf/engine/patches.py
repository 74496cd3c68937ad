"""Changes of code under running workflows: `patch` decides once per workflow and name which way it goes.

A decision is a record of its own, '<number of the next call>:<name>', and takes no number, so that adding or removing a
patch moves nothing else.
"""

from __future__ import annotations

from litewf.engine.execution import Branch, Execution
from litewf.engine.recording import opened, row
from litewf.engine.signals import Diverged

NAME = "litewf.patch"


def patch(branch: Branch, name: str) -> bool:
    """True in workflows that reach this point for the first time with the new code."""
    execution = branch.execution
    decided = _decided(execution, name)
    if decided is None:
        decided = execution.is_new_to(branch)
        number = f"{branch.prefix}{branch.count + 1}:{name}"
        settled = row(execution, number, NAME, execution.now_us(), execution.runtime.serializer.encode(decided)[0])
        execution.buffer(settled)
        execution.decide(name, decided)
    return decided


def deprecate_patch(branch: Branch, name: str) -> None:
    """Hold a workflow that went the old way, or that is older than the patch."""
    execution = branch.execution
    decided = _decided(execution, name)
    if decided is False or (decided is None and not execution.is_new_to(branch)):
        detail = f"it runs the code from before patch {name!r}, which this program no longer has; run it with that"
        raise execution.stop_with(Diverged(detail, f"{branch.prefix}{branch.count + 1}", patch=name))


def _decided(execution: Execution, name: str) -> bool | None:
    known = execution.decisions.get(name)
    if known is None:
        for record in execution.records.values():
            if record.name == NAME and record.step.partition(":")[2] == name:
                known = bool(opened(execution, record.step, record.name, record.output, record.error))
                execution.decide(name, known)
    return known
