"""What a disk may hold after the power, or only the process, was cut at any moment of a recorded run.

The model: what was synced is there. Of what was not, any part may be there, in any order, and the sectors of one write
may be there or not, one by one; a sector that was just being written may hold anything within that write. A name that
was created or deleted is durable once its directory was synced, which SQLite does with the first sync of a journal or
WAL. A disk that lies about syncs, or one that destroys what it is not writing, is not in the model.
"""

from __future__ import annotations

import os
import random
from bisect import bisect_right
from collections import deque
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from litewf.testing.disk.layer import SUFFIXES
from litewf.testing.disk.recording import Operation, Recording, locks_beside

SECTOR = 512
PROCESS = "process death"
POWER = ("nothing unsynced", "a part in order", "any part", "torn sectors", "a garbage sector")
DAMAGES = (PROCESS, *POWER)
CHANCES = (0.1, 0.5, 0.9, 1.0)  # that an operation which was not synced has reached the disk


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """A moment, what it did to the disk, and the number that decides what is left to chance."""

    after: int  # operations
    damage: str
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Image:
    """What the disk holds after a cut, by suffix, and what was known before it."""

    cut: Cut
    files: Mapping[str, bytes]
    beside: frozenset[str]  # names of lock files
    marks: Sequence[object] = field(repr=False)

    def digest(self) -> Hashable:
        """The same, within one process, for images that no program could tell apart.

        Python's own hash of bytes has 64 bits, is keyed, and takes a third of the time of others.
        """
        return frozenset((suffix, hash(content), len(content)) for suffix, content in self.files.items()), self.beside

    def write(self, database: Path) -> None:
        """Put it on a real disk, in place of whatever was there, -shm included."""
        path = os.fspath(database)  # not pathlib's ways, which would take longer than all else here
        for suffix in ("", *SUFFIXES, "-shm"):
            content = self.files.get(suffix)
            if content is not None:
                _write(path + suffix, content)
            else:
                with suppress(FileNotFoundError):
                    os.unlink(path + suffix)  # noqa: PTH108 - as above
        for name in locks_beside(database) ^ self.beside:
            if name in self.beside:
                database.with_name(name).touch()
            else:
                database.with_name(name).unlink()


def every_cut(recording: Recording, damages: Collection[str] = DAMAGES, seeds: Collection[int] = (0,)) -> list[Cut]:
    """All cuts whose images can differ, in order."""
    operations = recording.operations
    cuts = []
    for after in range(len(operations) + 1):
        following = operations[after].kind if after < len(operations) else "the end"
        if PROCESS in damages and following != "sync":  # a sync changes nothing that a process sees
            cuts.append(Cut(after, PROCESS))
        if POWER[0] in damages and following in ("sync", "the end"):  # nothing else changes what is durable
            cuts.append(Cut(after, POWER[0]))
        cuts += [Cut(after, damage, seed) for damage in POWER[1:] if damage in damages for seed in seeds]
    return cuts


def distinct(recording: Recording, cuts: Collection[Cut]) -> list[Cut]:
    """One cut for each image that differs from all others: one at which most was known, and of those the plainest."""
    found: dict[Hashable, tuple[tuple[int, int], Cut]] = {}
    for image in images(recording, cuts):
        worth = len(image.marks), -DAMAGES.index(image.cut.damage)
        digest = image.digest()
        if digest not in found or worth > found[digest][0]:
            found[digest] = worth, image.cut
    return sorted(cut for _, cut in found.values())


def sample(
    recording: Recording, most: int, *, seed: int, damages: Collection[str] = DAMAGES, first: int = 0
) -> list[Cut]:
    """Up to `most` cuts after the `first` operations whose images all differ; the same for the same seed.

    Up to half of them leave nothing to chance, those first at which something new was known.
    """
    chance = random.Random(seed)
    seeds = range(seed, seed + 2 + most // max(len(recording.operations), 1))
    certain = [cut for cut in every_cut(recording, {PROCESS, POWER[0]} & set(damages)) if cut.after >= first]
    others = [cut for cut in every_cut(recording, set(damages) - {PROCESS, POWER[0]}, seeds) if cut.after >= first]
    drawn = chance.sample(others, min(len(others), 2 * most))
    plain, rest = _told_apart(recording, certain, drawn[:most])
    if len(rest) < most - min(len(plain), most // 2):  # many of them left the same
        plain, rest = _told_apart(recording, certain, drawn)
    known_from = [mark.after for mark in recording.marks]
    telling = {(bisect_right(known_from, cut.after), cut.damage): cut for cut in plain}.values()
    chance.shuffle(plain)
    plain.sort(key=lambda cut: cut not in telling)
    chosen = plain[: most // 2 if rest else most]
    return sorted(chosen + chance.sample(rest, min(len(rest), most - len(chosen))))


def _told_apart(recording: Recording, certain: list[Cut], others: list[Cut]) -> tuple[list[Cut], list[Cut]]:
    """One cut for each image: those that leave nothing to chance, and the others."""
    cuts = distinct(recording, certain + others)
    plain = [cut for cut in cuts if cut.damage in (PROCESS, POWER[0])]
    return plain, [cut for cut in cuts if cut.damage not in (PROCESS, POWER[0])]


def images(recording: Recording, cuts: Collection[Cut]) -> Iterator[Image]:
    """The images of these cuts, by their moments; the same cut gives the same image in every process."""
    disk = _Disk(recording.before)
    marks: list[object] = []
    beside: frozenset[str] = frozenset()
    changes = deque(recording.beside)
    coming = deque(recording.marks)
    for cut in sorted(cuts):
        for operation in recording.operations[disk.operations : cut.after]:
            disk.feed(operation)
        while coming and coming[0].after <= cut.after:
            marks.append(coming.popleft().what)
        while changes and changes[0].after <= cut.after:
            beside = changes.popleft().names
        yield Image(cut, disk.after(cut), beside, tuple(marks))


def _write(path: str, content: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.ftruncate(file, len(content))
        os.pwrite(file, content, 0)
    finally:
        os.close(file)


class _Content:
    """Bytes that change; between two changes, all who ask get the same object, so that it is copied and hashed once."""

    __slots__ = ("_changing", "_frozen")

    def __init__(self, content: bytes) -> None:
        self._changing = bytearray(content)
        self._frozen: bytes | None = content

    def apply(self, operation: Operation) -> None:
        _apply(operation, self._changing)
        self._frozen = None

    def frozen(self) -> bytes:
        if self._frozen is None:
            self._frozen = bytes(self._changing)
        return self._frozen


class _Node:
    """A file without its name: what is durable of it, and what the system shows."""

    __slots__ = ("durable", "shown")

    def __init__(self, content: bytes = b"") -> None:
        self.durable = _Content(content)
        self.shown = _Content(content)


class _Disk:
    """Fed with operations, it knows what is durable, what is not yet, and what the system shows."""

    def __init__(self, before: Mapping[str, bytes]) -> None:
        self.operations = 0
        self._durable = {name: _Node(content) for name, content in before.items()}
        self._shown = dict(self._durable)
        self._pending: list[tuple[Operation, _Node]] = []  # not durable, in order

    def feed(self, operation: Operation) -> None:
        self.operations += 1
        name = operation.file
        if operation.kind == "create":
            self._shown[name] = _Node()
        if operation.kind == "sync":
            self._sync(self._shown.get(name), names=operation.directory)
            return
        self._pending.append((operation, self._shown[name]))
        if operation.kind == "delete":
            del self._shown[name]
        elif operation.kind != "create":
            self._shown[name].shown.apply(operation)

    def _sync(self, node: _Node | None, *, names: bool) -> None:
        left = []
        for operation, of in self._pending:
            if operation.kind in ("create", "delete"):
                if names:
                    _rename(operation, of, self._durable)
                else:
                    left.append((operation, of))
            elif of is node:
                of.durable.apply(operation)
            else:
                left.append((operation, of))
        self._pending = left

    def after(self, cut: Cut) -> dict[str, bytes]:
        if cut.damage == PROCESS:
            return {name: node.shown.frozen() for name, node in self._shown.items()}
        chance = random.Random(f"{cut.after} {cut.damage} {cut.seed}")
        names = dict(self._durable)
        content: dict[int, bytearray] = {}
        reached = chance.choice(CHANCES)
        whole = chance.randint(0, len(self._pending)) if cut.damage == POWER[1] else 0
        for place, (operation, node) in enumerate(self._pending):
            if cut.damage == POWER[0] or (cut.damage == POWER[1] and place >= whole):
                continue
            lost = cut.damage != POWER[1] and chance.random() >= reached
            if operation.kind in ("create", "delete"):
                if not lost:
                    _rename(operation, node, names)
                continue
            of = content.setdefault(id(node), bytearray(node.durable.frozen()))
            if lost:
                _lose(operation, of, chance)
            elif operation.kind == "write" and cut.damage in POWER[3:]:
                _tear(operation, of, chance, garbage=cut.damage == POWER[4])
            else:
                _apply(operation, of)
        return {
            name: bytes(content[id(node)]) if id(node) in content else node.durable.frozen()
            for name, node in names.items()
        }


def _rename(operation: Operation, node: _Node, names: dict[str, _Node]) -> None:
    if operation.kind == "create":
        names[operation.file] = node
    elif names.get(operation.file) is node:
        del names[operation.file]


def _apply(operation: Operation, content: bytearray) -> None:
    end = operation.offset + len(operation.content)
    if operation.kind == "truncate":
        del content[operation.offset :]
    if end > len(content):
        content.extend(bytes(end - len(content)))
    if operation.kind == "write":
        content[operation.offset : end] = operation.content


def _lose(operation: Operation, content: bytearray, chance: random.Random) -> None:
    """What was written is not there, but the file may have grown for it."""
    end = operation.offset + len(operation.content)
    if operation.kind == "write" and end > len(content) and chance.random() < 0.3:
        content.extend(bytes(end - len(content)))


def _tear(operation: Operation, content: bytearray, chance: random.Random, *, garbage: bool) -> None:
    """Some sectors of a write are there: the first ones, the last ones, or any; perhaps one of them as noise."""
    start, end = operation.offset, operation.offset + len(operation.content)
    if end > len(content):
        content.extend(bytes(end - len(content)))
    sectors = range(start // SECTOR, (end - 1) // SECTOR + 1)
    turn = chance.randint(sectors.start, sectors.stop)
    style = chance.randrange(3)
    for sector in sectors:
        low, high = max(start, sector * SECTOR), min(end, (sector + 1) * SECTOR)
        if (sector < turn, sector >= turn, chance.random() < 0.5)[style]:
            content[low:high] = operation.content[low - start : high - start]
    if garbage and chance.random() < 0.5:
        sector = chance.choice(sectors)
        low, high = max(start, sector * SECTOR), min(end, (sector + 1) * SECTOR)
        size = high - low
        content[low:high] = chance.choice((bytes(size), b"\xff" * size, chance.randbytes(size)))
