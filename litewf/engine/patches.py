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
    decided = _decided(branch.execution, name)
    return _decide(branch, name, branch.execution.is_new_to(branch)) if decided is None else decided


def deprecate_patch(branch: Branch, name: str) -> None:
    """Hold a workflow that went the old way, or that is older than the patch."""
    execution = branch.execution
    decided = _decided(execution, name)
    if decided is None and execution.is_new_to(branch):
        _decide(branch, name, True)  # a replay sees that it is no older
    elif not decided:
        detail = f"it runs the code from before patch {name!r}, which this program no longer has; run it with that"
        raise execution.stop_with(Diverged(detail, f"{branch.prefix}{branch.count + 1}", patch=name))


def _decide(branch: Branch, name: str, decided: bool) -> bool:
    """Record which way it goes, once for the workflow."""
    execution = branch.execution
    number = f"{branch.prefix}{branch.count + 1}:{name}"
    execution.buffer(row(execution, number, NAME, execution.now_us(), execution.runtime.serializer.encode(decided)[0]))
    execution.decide(name, decided)
    return decided


def _decided(execution: Execution, name: str) -> bool | None:
    known = execution.decisions.get(name)
    if known is None:
        for record in execution.records.values():
            if record.name == NAME and record.step.partition(":")[2] == name:
                known = bool(opened(execution, record.step, record.name, record.output, record.error))
                execution.decide(name, known)
    return known
