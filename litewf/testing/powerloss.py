"""`power_loss_everywhere`: record one run of a workflow, cut it off at any moment, recover from what a disk may hold.

What survives is compared twice. The file has to be as it was after one of the commits, and not before the last one that
had returned; and the run that goes on from there has to end as one without a cut.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from litewf.api.workflow import BaseWorkflow
from litewf.durations import Duration
from litewf.errors import UsageError
from litewf.store.states import Onlooker
from litewf.testing.disk import Cut, Image, Recording, images, recorded, sample
from litewf.testing.effects import Call, Fake
from litewf.testing.everywhere import Check, Drive, Explorer, Plan, Trial
from litewf.testing.logbook import Logbook
from litewf.testing.mortal import short, silence
from litewf.testing.outside import OutsideWorld, Past
from litewf.testing.places import fresh_file, workplace
from litewf.testing.report import CrashReport, Problem

SEED = 1


def power_loss_everywhere(
    workflow: BaseWorkflow[..., Any],
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    effects: Sequence[Fake] = (),
    drive: Drive | None = None,
    check: Check | None = None,
    setup: Callable[[], object] | None = None,
    downtime: Duration = 0,
    durability: Literal["full", "normal"] = "full",
    most: int = 200,
    seed: int = SEED,
    at: str | None = None,
    **options: Any,
) -> PowerLossReport:
    """Record a run of a workflow, then recover it from `most` states that a disk may hold after a cut of that run.

    A cut ends the process, or the power: then writes that were not synced are there, or not, or in part. A fresh engine
    recovers, runs to the end, and must come to the same results, events, streams, messages, rows and `effects`. The
    file must hold what a commit had left, and with `durability="full"` every commit that had returned. Otherwise
    CrashTestFailure says what went wrong and how to replay it. The same `seed` takes the same cuts.

    The parameters are those of `crash_everywhere`, with one difference: what was not in the file is not repeated from
    where it was, so `setup` and `drive` begin anew after a cut, and all that they do has to be harmless if it has been
    done. The `effects` are put back to what they were at the cut.
    """
    options = {"durability": durability, **options}
    plan = RecordedPlan(workflow, args, kwargs or {}, effects, drive, check, setup, downtime, options)
    began = time.perf_counter()
    report = PowerLossReport(short(workflow.name), function="power_loss_everywhere")
    with silence():
        explorer = PowerLoss(plan, report, durable=durability == "full")
        explorer.explore(most, seed, at)
    report.seconds = time.perf_counter() - began
    report.raise_if_broken()
    return report


@dataclass
class PowerLossReport(CrashReport):
    """What happened after all cuts; `str()` of it is for people."""

    cuts: Counter[str] = field(default_factory=Counter)  # by what they did to the disk; no image counts twice
    operations: int = 0  # of the recorded run on its files
    commits: int = 0
    forgotten: int = 0  # commits that had returned and were gone, over all cuts; "full" allows none

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {damage}" for damage, count in self.cuts.items())
        moments = f"{self.operations} operations and {self.commits} commits"
        first = f"{self.workflow} recovered from {self.deaths} states of the disk, cut off during {moments}, in"
        lines = [f"{first} {self.seconds:.2f} s: {kinds}", *self.details()]
        if self.forgotten:
            lines.append(f'  {self.forgotten} commits were forgotten, as durability="normal" allows')
        return "\n".join(lines)


class Known(NamedTuple):
    """What had happened outside of the file when an operation began."""

    now_us: int
    calls: tuple[int, ...]  # of each fake
    states: int  # that commits have left
    entries: int  # of the logbook


class Record:
    """A recorded run, with what its commits left in the file and what the world outside was like at each moment."""

    def __init__(self, effects: Sequence[Fake], before: bytes) -> None:
        self.recording: Recording | None = None
        self.states = [before]
        self._effects = effects
        self._path = Path()
        self._outside: OutsideWorld | None = None
        self._onlooker: Onlooker | None = None
        self._books: dict[int, Logbook] = {}
        self._calls: list[list[Call]] = []
        self._results: list[dict[tuple[str, str], Any]] = []

    @contextmanager
    def of(self, path: Path) -> Iterator[None]:
        """Watch the file, also for what each commit leaves."""
        self._path = path
        yield
        if self._onlooker is not None:
            self._onlooker.close()
        self._calls = [fake.calls() for fake in self._effects]
        self._results = [fake.results() for fake in self._effects]

    def passed(self, point: str) -> None:
        """At "commit.after" and the like a commit has returned: what it has left must survive from now on."""
        if point.endswith(".after"):
            if self._onlooker is None:  # not earlier: the WAL has to be made on the recording disk
                self._onlooker = Onlooker(self._path)
            self.states.append(self._onlooker.state())

    def begins(self, outside: OutsideWorld) -> None:
        """The engine is up: a cut before that would show nothing of the workflow."""
        self._outside = outside

    def known(self) -> Known | None:
        """What there is to know now."""
        if self._outside is None:
            return None
        book = self._outside.logbook.copy()
        self._books[book.entries] = book
        calls = tuple(len(fake.calls()) for fake in self._effects)
        return Known(self._outside.clock.now_us(), calls, len(self.states), book.entries)

    def past(self, known: Known) -> Past:
        return Past(known.now_us, self._books[known.entries])

    def put_back(self, known: Known) -> None:
        """Let the fakes be as they were then."""
        for fake, calls, results, count in zip(self._effects, self._calls, self._results, known.calls, strict=True):
            happened = {(call.method, call.key) for call in calls[:count] if call.happened}
            fake.put_back(calls[:count], {key: value for key, value in results.items() if key in happened})


@dataclass(frozen=True)
class RecordedPlan(Plan):
    """A trial that is recorded, and trials that go on from a cut of it."""

    def record(self) -> Record:
        """Run once on a recording disk."""
        with workplace() as folder:
            path = folder / "flows.db"
            path.write_bytes(fresh_file())
            record = Record(self.effects, state_of(path))
            with recorded(path, record.known) as (record.recording, vfs), record.of(path):
                outside = self._world(path, None, vfs=vfs, watch=record.passed)
                try:
                    outside.begin()
                    record.begins(outside)
                    self._play(outside)
                finally:
                    outside.close()
                record.recording.look()
            return record

    def go_on(self, path: Path, record: Record, known: Known) -> Trial:
        """Recover from what a cut has left at `path`."""
        outside = self._world(path, record.past(known))
        record.put_back(known)
        try:
            outside.begin()
            return self._play(outside)
        finally:
            outside.close()

    def _world(self, path: Path, past: Past | None, **options: Any) -> OutsideWorld:
        """What is outside, as it is at the beginning; no engine runs yet."""
        settings = {**self.options, **options}
        outside = OutsideWorld(path, self.workflow.registry, (), downtime=self.downtime, past=past, **settings)
        for fake in self.effects:
            fake.reset(outside.raise_if_dead)
        if self.setup is not None:
            self.setup()
        return outside


class PowerLoss(Explorer):
    """Compares what comes after each cut with the run without one."""

    def __init__(self, plan: RecordedPlan, report: PowerLossReport, *, durable: bool) -> None:
        super().__init__(plan, report)
        self._recorded_plan, self._power_report = plan, report
        self._durable = durable
        self._record = plan.record()
        report.commits = len(self._record.states) - 1

    def explore(self, most: int, seed: int, at: str | None) -> None:
        """Take the cuts one by one."""
        recording = self._record.recording
        assert recording is not None
        self._power_report.operations = len(recording.operations)
        begun = next(mark.after for mark in recording.marks if mark.what is not None)
        cuts = sample(recording, most, seed=seed, first=begun) if at is None else [_cut_of(at)]
        with workplace() as folder:
            for image in images(recording, cuts):
                self._power_report.cuts[image.cut.damage] += 1
                self._power_report.deaths += 1
                self._recover(image, folder / "flows.db")

    def _recover(self, image: Image, path: Path) -> None:
        known = image.marks[-1] if image.marks else None
        name = (f"{image.cut.after}/{image.cut.damage}/{image.cut.seed}",)
        if not isinstance(known, Known):
            raise UsageError(f"at {name[0]!r} the engine was not up yet: give a later moment")
        for problem in self._lost(image, path, known):
            self._report.note(problem, name)
        try:
            trial = self._recorded_plan.go_on(path, self._record, known)
        except Exception as error:  # noqa: BLE001 - whatever it is, it comes only after a cut
            self._report.note(Problem(f"{type(error).__name__}: {error}"), name)
        else:
            self._compare(trial, name)

    def _lost(self, image: Image, path: Path, known: Known) -> Iterator[Problem]:
        """Whether the file is as a commit left it, and not as one before the last that had returned."""
        image.write(path)
        state = state_of(path)
        left = [number for number, one in enumerate(self._record.states) if one == state]
        gone = known.states - 1 - max(left, default=-1)
        if not left:
            yield Problem("the file is in a state that no commit has left")
        elif gone > 0 and self._durable:
            yield Problem(f"commits that had returned are gone, {gone} of them")
        elif gone > 0:
            self._power_report.forgotten += gone


def state_of(path: Path) -> bytes:
    """The state of a file that nobody has open, with what its WAL holds; taken from a copy."""
    copy = path.with_name("copy.db")
    for suffix in ("", "-wal", "-journal"):
        part = path.with_name(path.name + suffix)
        copied = copy.with_name(copy.name + suffix)
        copied.unlink(missing_ok=True)
        if part.exists():
            shutil.copyfile(part, copied)
    copy.with_name(f"{copy.name}-shm").unlink(missing_ok=True)
    with closing(Onlooker(copy)) as onlooker:
        return onlooker.state()


def _cut_of(at: str) -> Cut:
    after, damage, seed = at.split("/")
    return Cut(int(after), damage, int(seed))
