"""The judgement: do the file, the ledger and the ends of the processes say that all is right and each step ran once?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from litewf.cli.demo.ledger import Entry
from litewf.cli.demo.shop import ORDER_ID, PAUSE, RESULT, STEPS
from litewf.cli.demo.story import Story
from litewf.records import StepInfo, WorkflowStatus

SLEEP = "litewf.sleep"
BODIES = tuple(step for step in STEPS if step != "sleep")
RECORDS = tuple(SLEEP if step == "sleep" else step for step in STEPS)
KILLS = 2


@dataclass(frozen=True, slots=True)
class Proof:
    """All that is left when the last process has ended."""

    db: Path
    ledger: Path
    log: Path
    story: Story
    entries: Sequence[Entry]
    workflow: WorkflowStatus | None
    steps: Sequence[StepInfo]

    @property
    def slept(self) -> float | None:
        """Seconds that the workflow slept, over all processes."""
        for step in self.steps:
            if step.name == SLEEP and step.completed_at is not None:
                return (step.completed_at - step.started_at).total_seconds()
        return None


def problems(proof: Proof) -> list[str]:
    """What is wrong, one line each; nothing if the demo showed what it promises."""
    return [*_with_kills(proof), *_with_bodies(proof), *_with_records(proof), *_with_result(proof)]


def _with_kills(proof: Proof) -> Iterator[str]:
    killed = [run for run in proof.story.runs if run.killed]
    if len(killed) != KILLS or len(proof.story.runs) != KILLS + 1:
        yield f"{len(killed)} of {len(proof.story.runs)} processes were killed, instead of {KILLS} of {KILLS + 1}"


def _with_bodies(proof: Proof) -> Iterator[str]:
    times = Counter(entry.step for entry in proof.entries)
    for step in BODIES:
        if times[step] != 1:
            yield f"the body of {step} ran {times[step]} times"
    for step in times.keys() - set(BODIES):
        yield f"the ledger names {step}, which is no step"
    for run in proof.story.runs:
        shown = {step for step, cell in run.cells.items() if cell in {"ran", "running"}}
        real = {entry.step for entry in proof.entries if entry.pid == run.pid}
        for step in sorted(shown ^ real):
            yield f"{step} was shown wrongly for process {run.pid}"


def _with_records(proof: Proof) -> Iterator[str]:
    names = tuple(step.name for step in proof.steps)
    if names != RECORDS:
        yield f"the file has the steps {', '.join(names) or 'none'} instead of {', '.join(RECORDS)}"
    keys = {entry.step: entry.idempotency_key for entry in proof.entries}
    for step in proof.steps:
        if step.completed_at is None or step.error is not None or step.attempts != 1:
            yield f"the record of {step.name} is not that of one successful attempt"
        if step.name in keys and keys[step.name] != f"{ORDER_ID}:{step.step_id}":
            yield f"{step.name} had the idempotency key {keys[step.name]}"
    if proof.slept is not None and proof.slept < PAUSE:
        yield f"the sleep ended after {proof.slept:.2f} of {PAUSE:g} s"


def _with_result(proof: Proof) -> Iterator[str]:
    if proof.workflow is None or proof.workflow.status != "SUCCESS":
        state = "is not in the file" if proof.workflow is None else f"is {proof.workflow.status}"
        yield f"the workflow {state} (see {proof.log})"
    elif proof.workflow.output != RESULT:
        yield f"the file has the result {proof.workflow.output!r}"
    if proof.story.result is None or json.loads(proof.story.result) != RESULT:
        yield f"the last process got the result {proof.story.result}"
