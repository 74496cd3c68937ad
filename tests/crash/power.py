"""Runs a scenario once on a recording disk, then recovers from every state that a cut may have left, and checks.

A cycle is a real engine, launched on what the disk holds after the power or the process was cut at one moment of the
recorded run, that runs all its workflows to the end; the ledger of that moment goes on with it, and every promise of it
is checked. Some recoveries are recorded in turn and cut again. `python -m tests.crash.power SCENARIO SEED CUT...`
replays one, where a cut is written as AFTER/DAMAGE/SEED.
"""

import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import apsw

from litewf.testing import VirtualClock
from litewf.testing.disk.images import DAMAGES, Cut, images, sample
from litewf.testing.disk.images import Image as DiskImage
from litewf.testing.disk.recording import Recording, recorded
from litewf.world import moment
from tests.crash.explorer import Scenario, Trial, workplace
from tests.crash.invariants import Image
from tests.crash.ledger import Ledger
from tests.crash.scenarios import SCENARIOS, a_new_file, the_smallest

WAL_HEADER, WAL_FRAME = 32, 24 + 4096  # bytes
CUTS_AGAIN = 4  # of each recovery that is recorded
Budget = int | Callable[[int], int]


class Violation(NamedTuple):
    """Promises that were broken after one cut, and the command that shows it again."""

    replay: str
    problems: tuple[str, ...]

    def __str__(self) -> str:
        return "\n  ".join([self.replay, *self.problems])


@dataclass
class Explored:
    """How much was tried, and what went wrong."""

    cycles: Counter[str] = field(default_factory=Counter)  # by damage; each on an image of its own
    again: int = 0  # of them on what was left of a recovery
    moments: int = 0  # operations of the recorded runs
    seconds: float = 0.0  # of processor time
    violations: list[Violation] = field(default_factory=list)

    def __str__(self) -> str:
        each_ms = 1000 * self.seconds / (self.cycles.total() or 1)
        kinds = ", ".join(f"{count} {damage}" for damage, count in sorted(self.cycles.items()))
        return (
            f"{self.cycles.total()} crash-recover-check cycles, each on another image of the disk, {self.again} of them"
            f" on what a recovery had left, in {self.seconds:.1f} s of processor time ({each_ms:.1f} ms each): {kinds}"
        )

    def add(self, other: "Explored") -> None:
        self.cycles.update(other.cycles)
        self.moments += other.moments
        self.again += other.again
        self.seconds += other.seconds
        self.violations += other.violations


@cache
def empty_file() -> bytes:
    """A database of litewf in which nothing has happened yet."""
    with workplace() as folder:
        Trial(Scenario("nothing", lambda life: life.drive_to_rest), folder / "flows.db").live(None)
        return (folder / "flows.db").read_bytes()


def record(trial: Trial) -> Recording:
    """Let a trial live on unharmed; each moment of it knows the ledger and the time of then."""
    with recorded(trial.path, lambda: (trial.ledger.frozen(), trial.clock.now_us())) as (recording, vfs):
        assert not trial.live(None, vfs=vfs, callers=False)
        recording.look()
    return recording


def first_run(scenario: Scenario, database: Path) -> Recording:
    """A run on a file in which nothing has happened yet; only a scenario about that makes the tables, too."""
    if not scenario.fresh:
        database.write_bytes(empty_file())
    trial = Trial(scenario, database)
    recording = record(trial)
    trial.check()
    return recording


class Recovery(Trial):
    """What comes after one cut: a fresh engine on what the disk holds then."""

    def __init__(self, scenario: Scenario, database: Path, image: DiskImage, looks: "Looks") -> None:
        super().__init__(scenario, database)
        if image.marks:
            ledger, now_us = image.marks[-1]  # type: ignore[misc]  # as `record` has put it there
            self.ledger = Ledger.thawed(ledger)
            self.clock = VirtualClock(moment(now_us), mode="driven")
            for _ in range(self.ledger.life + 1):
                self.clock.next_life()  # the dead: who comes draws other ids
        self._image = image
        self._looks = looks

    def look(self, *, at_the_end: bool) -> tuple[Image, list[str]]:
        """As the other trials look, but at each state that several cuts have in common only once."""
        return self._looks.at_the_end(self.path) if at_the_end else self._looks.after_the_cut(self._image)

    def run(self) -> list[str]:
        """Die, recover, run to the end; what was broken."""
        return self._judged(lambda: self.live(None, callers=False))

    def recorded_run(self) -> Recording | None:
        """As `run`, with a recording of it; None if something was broken."""
        recordings: list[Recording] = []
        return None if self._judged(lambda: recordings.append(record(self))) else recordings[0]

    def _judged(self, live: Callable[[], object]) -> list[str]:
        self._image.write(self.path)
        try:
            self.mourn(self._image.cut.after)
            live()
        except Exception as error:
            self.ledger.fail(f"B9 the engine did not come to its end: {error!r}")
        return self.ledger.violations


class Looks:
    """Says what is in a state of the file and what is wrong with it, over one connection for all states.

    To open a file and to prepare all checks for it takes longer than the checks. So each state is written into the same
    file, as a plain database without a WAL: to SQLite it is as if another process had written there.
    """

    def __init__(self, folder: Path) -> None:
        self._copy = folder / "copy.db"
        plain = folder / "plain.db"
        self._plain = os.open(plain, os.O_RDWR | os.O_CREAT, 0o644)
        self._connection = apsw.Connection(str(plain), statementcachesize=300)
        self._changes = 0
        self._known: dict[tuple[bytes | None, ...], tuple[Image, list[str]]] = {}

    def after_the_cut(self, image: DiskImage) -> tuple[Image, list[str]]:
        """The state is the database with what SQLite takes from the WAL, so SQLite is asked how much that is."""
        if "" not in image.files:
            return self._look(b"", at_the_end=False)
        image.write(self._copy)
        with closing(apsw.Connection(str(self._copy))) as connection:
            connection.pragma("locking_mode", "exclusive")  # no shared memory, which costs more than the rest
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.pragma("user_version")  # has the WAL recovered
            frames, _ = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
            taken = image.files.get("-wal", b"")[: WAL_HEADER + frames * WAL_FRAME] if frames > 0 else b""
            state = image.files[""], image.files.get("-journal"), taken
            if state not in self._known:  # many cuts leave the same one
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)  # alone, it copies all that was taken
                self._known[state] = self._look(self._copy.read_bytes(), at_the_end=False)
        return self._known[state]

    def at_the_end(self, database: Path) -> tuple[Image, list[str]]:
        """After a shutdown in order all is in the database itself."""
        assert not database.with_name(f"{database.name}-wal").exists()
        return self._look(database.read_bytes(), at_the_end=True)

    def _look(self, content: bytes, *, at_the_end: bool) -> tuple[Image, list[str]]:
        self._changes += 1
        os.ftruncate(self._plain, len(content))
        os.pwrite(self._plain, content, 0)
        if content:
            os.pwrite(self._plain, b"\1\1", 18)  # no WAL
            for place in (24, 92):
                os.pwrite(self._plain, self._changes.to_bytes(4, "big"), place)  # "somebody has written"
        with self._connection:  # one transaction: each of its own would look for journals and lock again
            image = Image(self._connection)
            return image, list(image.broken(at_the_end=at_the_end))

    def close(self) -> None:
        self._connection.close()
        os.close(self._plain)


class Enumerator:
    """Tries cut after cut of one scenario; the same seed tries the same ones."""

    def __init__(self, scenario: Scenario, folder: Path, *, seed: int, damages: Collection[str] = DAMAGES) -> None:
        self._scenario = scenario
        self._database = folder / "flows.db"
        self._seed = seed
        self._damages = damages
        self._looks = Looks(folder)
        self.found = Explored()

    def run(self, budget: Budget, *, again: int = 0, stop_at: int | None = None) -> None:
        """Cut the first run up to `budget` times, and recoveries from some of those cuts up to `again` times."""
        recording = first_run(self._scenario, self._database)
        self.found.moments = len(recording.operations)
        budget = budget if isinstance(budget, int) else budget(self.found.moments)
        for number, image in enumerate(self._sample(recording, budget)):
            if stop_at is not None and len(self.found.violations) >= stop_at:
                return
            if again and number % (max(budget * CUTS_AGAIN // again, 1)) == 0:
                self._cut_again(image)
            else:
                self._try(self._recovery(image), [image.cut])

    def _cut_again(self, image: DiskImage) -> None:
        """Record a recovery, and recover from what is left of that."""
        first = self._recovery(image)
        recording = first.recorded_run()
        self._count([image.cut], first.ledger.violations)
        if recording is not None:
            for second in self._sample(recording, CUTS_AGAIN):
                self._try(self._recovery(second), [image.cut, second.cut])

    def replay(self, cuts: Sequence[Cut]) -> list[str]:
        """Run, cut, recover, cut again …"""
        recording: Recording | None = first_run(self._scenario, self._database)
        recovery = None
        for cut in cuts:
            assert recording is not None, "the recovery before was broken already"
            (image,) = images(recording, [cut])
            recovery = self._recovery(image)
            recording = recovery.recorded_run()
        return [] if recovery is None else recovery.ledger.violations

    def _sample(self, recording: Recording, budget: int) -> Iterator[DiskImage]:
        return images(recording, sample(recording, budget, seed=self._seed, damages=self._damages))

    def _recovery(self, image: DiskImage) -> Recovery:
        return Recovery(self._scenario, self._database, image, self._looks)

    def _try(self, recovery: Recovery, cuts: Sequence[Cut]) -> None:
        self._count(cuts, recovery.run())

    def _count(self, cuts: Sequence[Cut], problems: list[str]) -> None:
        self.found.cycles[cuts[-1].damage] += 1
        self.found.again += len(cuts) > 1
        if problems:
            self.found.violations.append(Violation(replay_command(self._scenario, self._seed, cuts), tuple(problems)))

    def close(self) -> None:
        self._looks.close()


def enumerate_cuts(
    scenario: Scenario,
    *,
    seed: int,
    budget: Budget,
    again: int = 0,
    damages: Collection[str] = DAMAGES,
    stop_at: int | None = None,
) -> Explored:
    """Try up to `budget` cuts of one recorded run, whose images all differ; end early at so many violations.

    The budget may depend on how many operations the run has: a long one takes longer to recover, too. Up to `again` more are cuts of recoveries.
    """

    def enumerate_them() -> Explored:
        began = time.process_time()
        with workplace() as folder, closing(Enumerator(scenario, folder, seed=seed, damages=damages)) as enumerator:
            enumerator.run(budget, again=again, stop_at=stop_at)
        enumerator.found.seconds = time.process_time() - began
        return enumerator.found

    # In the main thread, which a signal may interrupt, each engine would open one connection more.
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(enumerate_them).result()


def replay_command(scenario: Scenario, seed: int, cuts: Sequence[Cut]) -> str:
    written = [f"{cut.after}/{cut.damage}/{cut.seed}" for cut in cuts]
    return shlex.join(["python", "-m", "tests.crash.power", scenario.name, str(seed), *written])


def main(name: str, seed: str, *written: str) -> int:
    (scenario,) = [one for one in (the_smallest, a_new_file, *SCENARIOS) if one.name == name]
    cuts = [Cut(int(after), damage, int(number)) for after, damage, number in (one.split("/") for one in written)]
    with workplace() as folder, closing(Enumerator(scenario, folder, seed=int(seed))) as enumerator:
        problems = enumerator.replay(cuts)
    print(*problems or ["every promise was kept"], sep="\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
