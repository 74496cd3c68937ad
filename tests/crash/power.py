"""Runs a scenario once on a recording disk, then recovers from every state that a cut may have left, and checks.

A cycle is a real engine, launched on what the disk holds after the power or the process was cut at one moment of the
recorded run, that runs all its workflows to the end; the ledger of that moment goes on with it, and every promise of it
is checked. `python -m tests.crash.power SCENARIO AFTER DAMAGE SEED` replays one.
"""

import random
import shlex
import sys
import time
from collections import Counter
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import apsw

from litewf.testing.disk.images import DAMAGES, Cut, distinct, every_cut, images
from litewf.testing.disk.images import Image as DiskImage
from litewf.testing.disk.recording import Recording, recorded
from tests.crash.explorer import Scenario, Trial, workplace
from tests.crash.invariants import Image
from tests.crash.ledger import Ledger
from tests.crash.scenarios import SCENARIOS, the_smallest


WAL_HEADER, WAL_FRAME = 32, 24 + 4096  # bytes


@dataclass
class Explored:
    """How much was tried, and what went wrong."""

    cycles: Counter[str] = field(default_factory=Counter)  # by damage; each on an image of its own
    moments: int = 0  # operations of the recorded runs
    possible: int = 0  # cuts that could have been tried
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        rate = self.cycles.total() / self.seconds if self.seconds else 0.0
        kinds = ", ".join(f"{count} {damage}" for damage, count in sorted(self.cycles.items()))
        return f"{self.cycles.total()} cycles on distinct images in {self.seconds:.1f} s ({rate:.0f}/s): {kinds}"

    def add(self, other: "Explored") -> None:
        self.cycles.update(other.cycles)
        self.moments += other.moments
        self.possible += other.possible
        self.seconds += other.seconds
        self.violations += other.violations


@cache
def empty_file() -> bytes:
    """A database of litewf in which nothing has happened yet."""
    with workplace() as folder:
        Trial(Scenario("nothing", lambda life: life.drive_to_rest), folder / "flows.db").live(None)
        return (folder / "flows.db").read_bytes()


def record(scenario: Scenario, database: Path, *, fresh: bool = False) -> Recording:
    """Run a scenario unharmed; each moment of it knows the ledger and the time of then.

    Only one that is `fresh` makes the tables, too: the others would all be cut there at the same moments.
    """
    if not fresh:
        database.write_bytes(empty_file())
    trial = Trial(scenario, database)
    with recorded(database, lambda: (trial.ledger.frozen(), trial.time.now_us)) as (recording, vfs):
        assert not trial.live(None, vfs=vfs)
        recording.look()
    trial.check()
    return recording


class Recovery(Trial):
    """What comes after one cut: a fresh engine on what the disk holds then."""

    def __init__(self, scenario: Scenario, database: Path, image: DiskImage, looks: "Looks") -> None:
        super().__init__(scenario, database)
        if image.marks:
            ledger, self.time.now_us = image.marks[-1]  # type: ignore[misc]  # as `record` has put it there
            self.ledger = Ledger.thawed(ledger)
        self._image = image
        self._looks = looks
        image.write(database)
        self.history.append(f"{image.cut.damage} after {image.cut.after} operations")

    def look(self, *, at_the_end: bool) -> tuple[Image, list[str]]:
        """As the other trials look, but at each state that several cuts have in common only once."""
        return self._looks.at_the_end(self.path) if at_the_end else self._looks.after_the_cut(self._image)

    def run(self) -> list[str]:
        """Die, recover, run to the end; what was broken."""
        try:
            self.mourn(self._image.cut.after)
            self.live(None, callers=False)
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
        self._plain = folder / "plain.db"
        self._plain.touch()
        self._connection = apsw.Connection(str(self._plain), statementcachesize=300)
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
                self._known[state] = self._look(connection.serialize("main"), at_the_end=False)
        return self._known[state]

    def at_the_end(self, database: Path) -> tuple[Image, list[str]]:
        """After a shutdown in order all is in the database itself."""
        assert not database.with_name(f"{database.name}-wal").exists()
        return self._look(database.read_bytes(), at_the_end=True)

    def _look(self, content: bytes, *, at_the_end: bool) -> tuple[Image, list[str]]:
        self._changes += 1
        header = bytearray(content[:100])
        if header:
            header[18] = header[19] = 1  # no WAL
            header[24:28] = header[92:96] = self._changes.to_bytes(4, "big")  # "somebody has written"
        with self._plain.open("r+b") as file:
            file.write(header)
            file.write(content[100:])
            file.truncate(len(content))
        with self._connection:  # one transaction: each of its own would look for journals and lock again
            image = Image(self._connection)
            return image, list(image.broken(at_the_end=at_the_end))

    def close(self) -> None:
        self._connection.close()


def enumerate_cuts(
    scenario: Scenario, *, seed: int, budget: int, damages: Collection[str] = DAMAGES, stop_at: int | None = None
) -> Explored:
    """Try up to `budget` cuts of one recorded run whose images all differ; end early at so many violations."""
    explored, began = Explored(), time.perf_counter()
    with workplace() as folder:
        recording = record(scenario, folder / "flows.db")
        possible = every_cut(recording, damages, [seed, seed + 1])
        explored.moments, explored.possible = len(recording.operations), len(possible)
        chosen = random.Random(f"{scenario.name} {seed}").sample(possible, min(len(possible), budget + budget // 2))
        cuts = distinct(recording, chosen)
        with closing(Looks(folder)) as looks:
            for image in images(recording, cuts if len(cuts) <= budget else _spread(cuts, budget)):
                problems = Recovery(scenario, folder / "flows.db", image, looks).run()
                explored.cycles[image.cut.damage] += 1
                if problems:
                    explored.violations.append("\n  ".join([replay_command(scenario, image.cut), *problems]))
                    if stop_at is not None and len(explored.violations) >= stop_at:
                        break
    explored.seconds = time.perf_counter() - began
    return explored


def _spread(cuts: list[Cut], budget: int) -> list[Cut]:
    return [cuts[len(cuts) * place // budget] for place in range(budget)]


def replay_command(scenario: Scenario, cut: Cut) -> str:
    return shlex.join(["python", "-m", "tests.crash.power", scenario.name, str(cut.after), cut.damage, str(cut.seed)])


def replay(scenario: Scenario, cut: Cut) -> list[str]:
    """Record the scenario again and try one cut."""
    with workplace() as folder:
        recording = record(scenario, folder / "flows.db")
        (image,) = images(recording, [cut])
        with closing(Looks(folder)) as looks:
            return Recovery(scenario, folder / "flows.db", image, looks).run()


def main(name: str, after: str, damage: str, seed: str) -> int:
    (scenario,) = [one for one in (the_smallest, *SCENARIOS) if one.name == name]
    problems = replay(scenario, Cut(int(after), damage, int(seed)))
    print(*problems or ["every promise was kept"], sep="\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
