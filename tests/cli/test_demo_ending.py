"""The judgement of the demo: a right performance has no problem, and every way to be wrong has one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import litewf
from litewf.cli.demo import ledger
from litewf.cli.demo.ending import Proof, problems
from litewf.cli.demo.ledger import Entry
from litewf.cli.demo.shop import RESULT
from litewf.cli.demo.story import Run, Story

NAMES = ["reserve_stock", "charge_card", "print_label", "litewf.sleep", "call_courier", "send_mail"]
RAN = {11: ["reserve_stock", "charge_card"], 12: ["print_label"], 13: ["call_courier", "send_mail"]}
THEN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> litewf.WorkflowStatus:
    registry = litewf.Registry()

    @registry.workflow
    def checkout() -> dict[str, str]:
        return RESULT

    with litewf.Engine(tmp_path_factory.mktemp("ending") / "app.db", registry=registry) as engine:
        engine.run_workflow(checkout)
        return engine.list_workflows()[0]


def _step(at: int, name: str) -> litewf.StepInfo:
    return litewf.StepInfo(str(at), name, None, None, 1, None, THEN, THEN + timedelta(seconds=2.01))


@pytest.fixture
def proof(workflow: litewf.WorkflowStatus) -> Proof:
    runs = [Run(pid, killed=pid < 13, cells=dict.fromkeys(steps, "ran")) for pid, steps in RAN.items()]
    entries = [Entry(step, pid, f"order-1:{NAMES.index(step) + 1}") for pid, steps in RAN.items() for step in steps]
    story = Story(runs, result='{"payment": "payment-24900", "parcel": "parcel-7", "courier": "pickup-16:00"}')
    steps = [_step(at, name) for at, name in enumerate(NAMES, 1)]
    return Proof(Path("db"), Path("ledger"), Path("log"), story, entries, workflow, steps)


def test_a_right_performance_has_no_problem(proof: Proof) -> None:
    assert problems(proof) == []


def _twice(proof: Proof) -> Proof:
    return replace(proof, entries=[*proof.entries, replace_entry(proof.entries[1], pid=12)])


def replace_entry(entry: Entry, **changed: object) -> Entry:
    return entry._replace(**changed)  # type: ignore[arg-type]


def _without_record(proof: Proof) -> Proof:
    return replace(proof, steps=proof.steps[:-1])


def _other_key(proof: Proof) -> Proof:
    return replace(proof, entries=[replace_entry(proof.entries[0], idempotency_key="x"), *proof.entries[1:]])


def _short_sleep(proof: Proof) -> Proof:
    short = replace(proof.steps[3], completed_at=THEN + timedelta(seconds=1))
    return replace(proof, steps=[*proof.steps[:3], short, *proof.steps[4:]])


def _survivor(proof: Proof) -> Proof:
    proof.story.runs[0].killed = False
    return proof


def _wrongly_shown(proof: Proof) -> Proof:
    proof.story.runs[1].cells["charge_card"] = "ran"
    return proof


def _no_answer(proof: Proof) -> Proof:
    proof.story.result = None
    return proof


def _other_result(proof: Proof) -> Proof:
    assert proof.workflow is not None
    return replace(proof, workflow=replace(proof.workflow, output={"payment": "none"}))


WRONG: list[tuple[Callable[[Proof], Proof], str]] = [
    (_twice, "the body of charge_card ran 2 times"),
    (lambda proof: replace(proof, entries=proof.entries[1:]), "the body of reserve_stock ran 0 times"),
    (lambda proof: replace(proof, entries=[*proof.entries, Entry("pay", 13, "x")]), "names pay, which is no step"),
    (_without_record, "the file has the steps"),
    (_other_key, "reserve_stock had the idempotency key x"),
    (_short_sleep, "the sleep ended after 1.00 of 2 s"),
    (_survivor, "1 of 3 processes were killed, instead of 2 of 3"),
    (_wrongly_shown, "charge_card was shown wrongly for process 12"),
    (_no_answer, "the last process got the result None"),
    (_other_result, "the file has the result"),
    (lambda proof: replace(proof, workflow=None), "the workflow is not in the file"),
    (lambda proof: replace(proof, steps=[replace(proof.steps[0], attempts=2), *proof.steps[1:]]), "one successful"),
]


@pytest.mark.parametrize(("doctored", "problem"), WRONG)
def test_a_wrong_performance_is_found_out(proof: Proof, doctored: Callable[[Proof], Proof], problem: str) -> None:
    assert problem in "\n".join(problems(doctored(proof)))


def test_a_body_that_runs_twice_has_two_lines_in_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    assert ledger.read(path) == []
    for pid in (1, 2):
        ledger.append(path, Entry("charge_card", pid, "order-1:2"))
    assert [entry.pid for entry in ledger.read(path)] == [1, 2]
