"""A -wal that lost commits to damage is refused; one that lost nothing, or may have lost them to the power, is not."""

import random
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

import litewf
from fuzz.targets import wal as fuzzing
from fuzz.worker import attempt
from litewf.store import wal_autopsy
from litewf.store.mailboxes import deliver
from litewf.store.store import Store
from litewf.world import World

Files = dict[str, bytes]
WORKFLOWS = 10
PAGE = 4096


def taken(path: Path) -> Files:
    return {suffix: path.with_name(path.name + suffix).read_bytes() for suffix in ("", "-wal")}


def put(files: Files, path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    for suffix, content in files.items():
        path.with_name(path.name + suffix).write_bytes(content)


def flipped(files: Files, byte: int, bit: int = 0) -> Files:
    content = bytearray(files["-wal"])
    content[byte] ^= 1 << bit
    return {**files, "-wal": bytes(content)}


def frame(number: int) -> int:
    """Where a frame begins."""
    return wal_autopsy.HEADER + (number - 1) * (wal_autopsy.FRAME_HEADER + PAGE)


def frames(files: Files) -> int:
    return len(files["-wal"]) // (PAGE + wal_autopsy.FRAME_HEADER)


def open_and_count(path: Path) -> int:
    """Open a file as an engine does; how many steps it has."""
    store = Store(path, "full", World(), deliver)
    store.writer.start()
    try:
        return int(store.read(lambda connection: connection.execute("SELECT count(*) FROM step").get))
    finally:
        store.close(5)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """What a killed process leaves: everything that it did is in the -wal."""
    path = tmp_path_factory.mktemp("crashed") / "flows.db"
    registry = litewf.Registry()

    @registry.step
    def one(n: int) -> int:
        return n

    @registry.workflow
    def flow() -> int:
        return sum(one(n) for n in range(5))

    with litewf.Engine(path, registry=registry) as engine:
        for _ in range(WORKFLOWS):
            engine.run_workflow(flow)
        return taken(path)


def test_what_a_killed_process_leaves_is_sound(crashed: Files, path: Path) -> None:
    put(crashed, path)
    assert open_and_count(path) == 5 * WORKFLOWS


@pytest.mark.parametrize("byte", [frame(1) + 100, frame(2) + 2, frame(30) + 20, frame(60) + 4000])
def test_a_damaged_frame_with_commits_behind_it_is_refused_and_left_as_it_is(
    crashed: Files, path: Path, byte: int
) -> None:
    """A12: committed work that was cut off is an error, never a shorter history."""
    damaged = flipped(crashed, byte)
    put(damaged, path)
    for _ in range(2):
        with pytest.raises(litewf.StoreCorruptError, match=r"flows\.db-wal is damaged: its frame \d+ .* \d+ commits"):
            open_and_count(path)
        assert taken(path) == damaged


@pytest.mark.parametrize("byte", [0, 3, 9, 12, 17, 20, 24, 31])
def test_a_damaged_header_is_refused(crashed: Files, path: Path, byte: int) -> None:
    """SQLite would take the whole -wal for that of an earlier time."""
    put(flipped(crashed, byte), path)
    with pytest.raises(litewf.StoreCorruptError, match="its header cannot be read"):
        open_and_count(path)


@pytest.mark.parametrize("torn", [b"\xff" * 8, (7).to_bytes(4, "big") + (9).to_bytes(4, "big")], ids=["garbage", "old"])
def test_the_header_of_a_frame_across_two_sectors_may_be_torn_and_look_like_a_commit(path: Path, torn: bytes) -> None:
    """A commit was being written, in which one frame got its salts from this write, and what stands before them not."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.wal_autocheckpoint(0)
    connection.execute("CREATE TABLE t (x)")
    kept, across = frames(taken(path)), 42
    assert frame(across) % 512 == 504
    connection.execute("INSERT INTO t VALUES (zeroblob(?))", ((across - kept) * PAGE,))
    left = bytearray(taken(path)["-wal"])
    connection.close()
    assert across < (len(left) - wal_autopsy.HEADER) // (PAGE + wal_autopsy.FRAME_HEADER), (
        "the last frame is another one"
    )
    wal = path.with_name(f"{path.name}-torn")
    left[frame(kept + 1) : frame(kept + 2)] = bytes(frame(2) - frame(1))
    left[frame(across) : frame(across) + 8] = torn
    wal.write_bytes(left)
    assert wal_autopsy.examine(wal, PAGE, kept) is None


def test_damage_to_the_very_last_commit_cannot_be_told_from_a_power_cut(crashed: Files, path: Path) -> None:
    put(flipped(crashed, len(crashed["-wal"]) - 10), path)
    assert open_and_count(path) >= 5 * WORKFLOWS - 1


@pytest.mark.parametrize("flips", [40, pytest.param(1_000, marks=pytest.mark.nightly)])
def test_flipped_bits_are_found(crashed: Files, path: Path, flips: int) -> None:
    """1,000 flips took 8 s: 993 were refused, 7 cost nothing but the last commit."""
    chance, refused = random.Random(flips), 0
    for _ in range(flips):
        put(flipped(crashed, chance.randrange(len(crashed["-wal"])), chance.randrange(8)), path)
        try:
            assert open_and_count(path) >= 5 * WORKFLOWS - 1
        except litewf.StoreCorruptError:
            refused += 1
    assert refused >= 0.95 * flips if flips < 1_000 else refused >= 0.98 * flips


@pytest.mark.parametrize("cases", [6, pytest.param(600, marks=pytest.mark.nightly)])
def test_after_a_power_cut_nothing_is_refused(cases: int) -> None:
    """600 recorded runs, cut at 24,000 moments, took half a minute."""
    cuts = found = missed = 0
    for number in range(cases):
        done = attempt("wal", 9, number)
        assert done.story is None, done.story
        cuts += sum(times for kind, times in done.kinds.items() if kind.startswith("cut"))
        found += done.kinds[fuzzing.REFUSED] + done.kinds[fuzzing.REFUSED_BY_SQLITE]
        missed += done.kinds[fuzzing.LOST[2]]
    assert cuts > 35 * cases
    assert missed <= found / 100


def test_the_owner_may_go_on_without_the_commits(
    crashed: Files, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(flipped(crashed, frame(frames(crashed) * 2 // 3)), path)
    monkeypatch.setenv(wal_autopsy.ACCEPT, "1")
    kept = open_and_count(path)
    assert 0 < kept < 5 * WORKFLOWS
    assert "they are given up" in caplog.text
    monkeypatch.undo()
    assert open_and_count(path) == kept


def test_a_file_whose_commits_were_not_synced_is_never_refused(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A power cut may leave later commits of it without earlier ones."""
    registry = litewf.Registry()
    flow = registry.workflow(name="flow")(lambda: 1)
    with litewf.Engine(path, registry=registry, durability="normal") as engine:
        for _ in range(5):
            engine.run_workflow(flow)
        left = taken(path)
    put(flipped(left, frame(frames(left) - 8)), path)
    open_and_count(path)
    assert "they are given up" in caplog.text


def test_commits_that_another_program_makes_meanwhile_are_no_damage(path: Path) -> None:
    """SQLite has said how many frames there are, and then there are more."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.execute("CREATE TABLE t (x)")
    wal, kept = path.with_name(f"{path.name}-wal"), frames(taken(path))
    for _ in range(5):
        connection.execute("INSERT INTO t VALUES (1)")
    assert wal_autopsy.examine(wal, PAGE, kept) is None
    damaged = flipped(taken(path), frame(kept + 1) + 50)
    wal.write_bytes(damaged["-wal"])
    assert wal_autopsy.examine(wal, PAGE, kept) == wal_autopsy.Damage(kept + 1, 5)
    connection.close()


def test_to_read_the_wal_drops_no_lock_of_sqlite(path: Path) -> None:
    """A10: closing a file drops all locks that the process has on it; SQLite's are on the other two."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.execute("CREATE TABLE t (x); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)")
    wal_autopsy.examine(path.with_name(f"{path.name}-wal"), PAGE, 0)
    program = (
        "import apsw, sys\nconnection = apsw.Connection(sys.argv[1])\n"
        "try: connection.execute('BEGIN IMMEDIATE'); print('got it')\nexcept apsw.BusyError: print('busy')"
    )
    found = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    connection.execute("COMMIT")
    connection.close()
    assert found.stdout == "busy\n"
