"""What a cut leaves: the model of the disk against SQLite itself, whose promises for each setting are known."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from litewf.testing.disk import DAMAGES, POWER, PROCESS, Cut, Operation, Recording, every_cut, images
from tests.crash.explorer import workplace
from tests.disk.notebook import NOTES, run, verdicts

OFF, NORMAL, FULL, EXTRA = range(4)


@pytest.fixture
def path() -> Iterator[Path]:
    with workplace() as folder:
        yield folder / "notes.db"


def test_with_full_syncs_no_cut_loses_anything(path: Path) -> None:
    found = verdicts(path, run(path, synchronous=FULL), *DAMAGES)
    assert set(found) == {"fine"}
    assert found.total() > 300


def test_with_normal_syncs_a_power_cut_forgets_but_never_corrupts(path: Path) -> None:
    found = verdicts(path, run(path, synchronous=NORMAL), *POWER)
    assert found["lost"] > 50
    assert found["corrupt"] == 0


def test_without_syncs_a_power_cut_corrupts(path: Path) -> None:
    found = verdicts(path, run(path, synchronous=OFF), *POWER)
    assert found["lost"] > 50
    assert found["corrupt"] > 50


@pytest.mark.parametrize("synchronous", [OFF, NORMAL], ids=["off", "normal"])
def test_without_a_power_cut_nobody_notices_that_syncs_are_missing(path: Path, synchronous: int) -> None:
    found = verdicts(path, run(path, synchronous=synchronous), PROCESS)
    assert set(found) == {"fine"}
    assert found.total() > NOTES


def test_a_deleted_journal_comes_back_unless_its_directory_was_synced(path: Path) -> None:
    """Why SQLite has EXTRA: with a rollback journal, FULL may lose the last commit."""
    assert verdicts(path, run(path, synchronous=FULL, journal="delete"), *POWER)["lost"] > 5
    path.unlink()
    assert set(verdicts(path, run(path, synchronous=EXTRA, journal="delete"), *POWER)) == {"fine"}


def test_the_same_cut_gives_the_same_image_and_another_seed_another_one(path: Path) -> None:
    recording = run(path, synchronous=FULL)
    at = next(
        at for at, one in enumerate(recording.operations) if one.kind == "sync" and one.file == "-wal" and at > 50
    )
    cuts = [Cut(at, "a garbage sector", seed) for seed in range(5)]
    first = [image.digest() for image in images(recording, cuts)]
    assert first == [image.digest() for image in images(recording, cuts)]
    assert len(set(first)) > 1


def test_a_cut_knows_what_was_marked_before_it_and_nothing_else(path: Path) -> None:
    recording = Recording(path)
    recording.created("")
    recording.mark("made")
    recording.wrote("", 0, b"a" * 1024)
    recording.mark("written")
    recording.synced("", directory=True)
    known = {image.cut.after: image.marks for image in images(recording, every_cut(recording, [PROCESS, POWER[0]]))}
    assert known == {0: (), 1: ("made",), 2: ("made", "written"), 3: ("made", "written")}


def test_nothing_unsynced_is_what_the_last_sync_made_durable(path: Path) -> None:
    recording = Recording(path)
    recording.operations += [
        Operation("create", ""),
        Operation("write", "", 0, b"old"),
        Operation("sync", "", directory=True),
        Operation("write", "", 0, b"new"),
        Operation("create", "-wal"),
    ]
    (lost,) = images(recording, [Cut(5, POWER[0])])
    (killed,) = images(recording, [Cut(5, PROCESS)])
    assert dict(lost.files) == {"": b"old"}
    assert dict(killed.files) == {"": b"new", "-wal": b""}


def test_a_torn_write_keeps_old_and_new_sectors_and_nothing_else(path: Path) -> None:
    recording = Recording(path)
    recording.operations += [
        Operation("create", ""),
        Operation("write", "", 0, b"o" * 2048),
        Operation("sync", "", directory=True),
        Operation("write", "", 0, b"n" * 2048),
    ]
    found = {image.files[""] for image in images(recording, [Cut(4, "torn sectors", seed) for seed in range(60)])}
    assert {len(content) for content in found} == {2048}
    assert all(content[at : at + 512] in (b"o" * 512, b"n" * 512) for content in found for at in range(0, 2048, 512))
    assert len(found) > 6
