"""`crash_everywhere`: kill a workflow at every crash point in turn, recover it, compare with a run without a crash."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from litewf.api.handle import WorkflowHandle
from litewf.api.workflow import BaseWorkflow
from litewf.durations import Duration
from litewf.errors import UsageError
from litewf.store.remains import remains
from litewf.testing.comparing import Facts, changed, effects_changed, facts_of, told
from litewf.testing.effects import Fake
from litewf.testing.mortal import MortalEngine, short, silence
from litewf.testing.outside import OutsideWorld
from litewf.testing.places import fresh_file, workplace
from litewf.testing.points import Deaths, deaths_of, described
from litewf.testing.report import CrashReport, CrashTestFailure, Problem, StepReport

Drive = Callable[[OutsideWorld, WorkflowHandle[Any]], object]
Check = Callable[[MortalEngine], object]
SecondDeath = Literal["never", "sample", "every"]
STRIDE = 7  # a sample of second deaths: the next recovery dies this many points later
MOST_POINTS = 5000


def crash_everywhere(
    workflow: BaseWorkflow[..., Any],
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    effects: Sequence[Fake] = (),
    drive: Drive | None = None,
    check: Check | None = None,
    setup: Callable[[], object] | None = None,
    second_death: SecondDeath = "never",
    downtime: Duration = 0,
    at: str | None = None,
    **options: Any,
) -> CrashReport:
    """Run a workflow once to count its crash points, then once for each of them with a death there; compare the ends.

    A death comes before and after each commit, and before and after each body of a step; a fresh engine recovers, runs
    to the end, and must come to the same results, events, streams, messages, rows of your own tables and `effects`, and
    pass your `check(engine)`. Otherwise CrashTestFailure says what went wrong, how to fix it and how to replay it.

    `effects` are the fakes that the steps call. `drive(outside, handle)` is what happens from outside, as messages to
    the workflow: `outside` has the methods of an engine, and lives on while engines die. `setup` runs before each
    trial. With `second_death` the recovery dies too, at one of its points or at each. `downtime` passes between a
    death and the next engine. `at` is one death, as a failure names it. `options` are those of Engine, and `kwargs`
    the workflow's.
    """
    plan = Plan(workflow, args, kwargs or {}, effects, drive, check, setup, downtime, options)
    began = time.perf_counter()
    report = CrashReport(short(workflow.name))
    with silence():
        explorer = Explorer(plan, report)
        for deaths in [deaths_of(at)] if at is not None else explorer.plan_deaths(second_death):
            explorer.die(deaths, exactly=at is not None)
    report.seconds = time.perf_counter() - began
    report.raise_if_broken()
    return report


@dataclass(frozen=True)
class Plan:
    """What is repeated in each trial."""

    workflow: BaseWorkflow[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    effects: Sequence[Fake]
    drive: Drive | None
    check: Check | None
    setup: Callable[[], object] | None
    downtime: Duration
    options: Mapping[str, Any]

    def run(self, deaths: Deaths) -> Trial:
        """From a fresh file to the end, with these deaths on the way."""
        with workplace() as folder:
            path = folder / "flows.db"
            path.write_bytes(fresh_file())
            registry = self.workflow.registry
            outside = OutsideWorld(path, registry, deaths, downtime=self.downtime, **self.options)
            for fake in self.effects:
                fake.reset(outside.raise_if_dead)
            if self.setup is not None:
                self.setup()
            try:
                return self._play(outside)
            finally:
                outside.close()

    def _play(self, outside: OutsideWorld) -> Trial:
        trial = Trial(outside)
        handle = outside.start_workflow(self.workflow, *self.args, **self.kwargs)
        if self.drive is not None:
            self.drive(outside, handle)
        outside.drain()
        outside.close_routes()
        trial.facts = facts_of(outside.do(lambda engine: engine.read(remains)))
        status = handle.get_status()
        trial.waits_for = "; ".join(wait.what for wait in status.waiting_on)
        if self.check is not None:
            outside.do(self.check)
        return trial


@dataclass
class Trial:
    """One run from a fresh file to the end."""

    outside: OutsideWorld
    facts: Facts = field(default_factory=dict)
    waits_for: str = ""


class Explorer:
    """Knows the run without a crash, and compares the others with it."""

    def __init__(self, plan: Plan, report: CrashReport) -> None:
        self._plan = plan
        self._report = report
        self._recovery: list[str] = []  # the points that the last recovery came by
        first, expected = self._unharmed(), dict(self._happened())
        again = self._unharmed()
        self._facts, self._expected = again.facts, dict(self._happened())
        self._ignored = list(changed(first.facts, again.facts))
        report.not_compared = [told(fact, first.facts, again.facts).text for fact in self._ignored]
        if expected != self._expected:
            raise UsageError(
                f"without any crash {report.workflow} did {expected} outside at first and {self._expected} then: let"
                " `setup` put everything back that a run changes"
            )
        report.points = again.outside.routes[0].passed
        report.steps = {name: StepReport(name, runs) for name, runs in again.outside.logbook.runs.items()}
        self._note_keys()
        if again.waits_for and plan.drive is None:
            raise UsageError(
                f"without any crash {report.workflow} comes to no end, it waits for {again.waits_for}: hand in"
                " drive=..., a function that takes (outside, handle) and does what is waited for"
            )

    def _unharmed(self) -> Trial:
        return self._plan.run(())

    def _happened(self) -> Iterator[tuple[str, int]]:
        for fake in self._plan.effects:
            yield from fake.happened().items()

    def _note_keys(self) -> None:
        """Which calls of which step have a key."""
        for call in (call for fake in self._plan.effects for call in fake.calls()):
            step = self._report.steps.get(short(call.step_name or ""))
            if step is not None:
                target = call.text.partition("(")[0]
                step.keyed[target] = step.keyed.get(target, True) and call.key is not None

    def plan_deaths(self, second_death: SecondDeath) -> Iterator[Deaths]:
        """All deaths, one trial after the other."""
        if second_death not in ("never", "sample", "every"):
            raise ValueError(f'second_death is "never", "sample" or "every", not {second_death!r}')
        for number, point in enumerate(self._report.points):
            yield (point,)
            recovery = self._recovery
            if second_death == "sample" and recovery:
                yield (point, recovery[number * STRIDE % len(recovery)])
            elif second_death == "every":
                yield from ((point, later) for later in recovery)

    def die(self, deaths: Deaths, *, exactly: bool) -> None:
        """One trial, and what it shows."""
        try:
            trial = self._plan.run(deaths)
        except CrashTestFailure:
            raise
        except Exception as error:  # noqa: BLE001 - a driver's or a check's
            self._report.note(Problem(f"{type(error).__name__}: {error}"), deaths)
            return
        routes = trial.outside.routes
        self._recovery = routes[-1].passed
        reached = [route.reached for route in routes[: len(deaths)]]
        self._report.deaths += sum(reached)
        if not all(reached):
            self._report.not_reached.append(described(deaths))
            if exactly:
                raise UsageError(
                    f"{self._report.workflow} did not come by {described(deaths)!r}; its points are:"
                    f" {', '.join(self._report.points)}"
                )
        self._compare(trial, deaths)

    def _compare(self, trial: Trial, deaths: Deaths) -> None:
        repeats = trial.outside.logbook.repeats
        for repeat in repeats:
            step = self._report.steps.setdefault(repeat.name, StepReport(repeat.name, 0))
            step.repeats[repeat.when] += 1
            if described(deaths) not in step.points:
                step.points.append(described(deaths))
        for problem in effects_changed(self._plan.effects, self._expected, repeats):
            self._report.note(problem, deaths)
        for fact in changed(trial.facts, self._facts, self._ignored):
            self._report.note(told(fact, trial.facts, self._facts), deaths)
