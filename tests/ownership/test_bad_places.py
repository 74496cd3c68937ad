"""A file or a place that cannot hold a store: a clear error at launch, and nothing written."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from children import Spawn

import litewf
from litewf.store import place

REFUSALS = (litewf.StoreUnsupportedError, litewf.StoreCorruptError, litewf.StoreVersionError)


def snapshot(directory: Path) -> dict[str, tuple[int, bytes]]:
    found = {}
    for file in sorted(directory.rglob("*")):
        status = file.lstat()
        found[str(file)] = (status.st_mode, file.read_bytes() if stat.S_ISREG(status.st_mode) else b"")
    return found


def text(path: Path) -> None:
    path.write_text("this is no database, but it is long enough to be one" * 10)


def cut_off(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\0" * 20)


def directory(path: Path) -> None:
    path.mkdir()


def fifo(path: Path) -> None:
    os.mkfifo(path)


def loop(path: Path) -> None:
    path.symlink_to(path)


def hard_link(path: Path) -> None:
    text(path)
    path.with_name("other").hardlink_to(path)


def utf16(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (x)").fetchall()
    connection.close()


def foreign(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("application_id", 77)
    connection.execute("CREATE TABLE t (x)").fetchall()
    connection.close()


def newer(path: Path) -> None:
    with litewf.Engine(path, registry=litewf.Registry()):
        pass
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 1000)
    connection.close()


def wal_without_database(path: Path) -> None:
    path.with_name(path.name + "-wal").write_bytes(b"x" * 5000)


@pytest.mark.parametrize(
    "spoil",
    [text, cut_off, directory, fifo, loop, hard_link, utf16, foreign, newer, wal_without_database],
    ids=lambda spoil: spoil.__name__,
)
def test_a_bad_file_is_refused_and_left_as_it_is(path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(path)
    before = snapshot(path.parent)
    with pytest.raises(REFUSALS) as caught:
        litewf.Engine(path, registry=litewf.Registry()).launch()
    assert str(path) in str(caught.value)
    assert snapshot(path.parent) == before


@pytest.mark.parametrize(
    "bad", ["", ":memory:", "file:x.db", "no/such/directory/x.db", "x/", "a\0b", 7, b"bytes", None]
)
def test_a_path_that_names_no_file_is_refused(bad: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(litewf.StoreUnsupportedError):
        litewf.Engine(bad, registry=litewf.Registry()).launch()  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs", "fuse.rclone"])
def test_a_network_file_system_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    mounts = f"1 0 8:1 / / rw - ext4 /dev/sda rw\n2 1 0:9 / {path.parent} rw - {kind} server:/ rw\n".encode()
    original = Path.read_bytes

    def read_bytes(self: Path) -> bytes:
        return mounts if str(self) == "/proc/self/mountinfo" else original(self)

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    with pytest.raises(litewf.StoreUnsupportedError, match=f"network or synced file system \\({kind}\\)"):
        litewf.Engine(path, registry=litewf.Registry()).launch()
    assert list(path.parent.iterdir()) == []
    monkeypatch.setenv(place._ALLOW_NETWORK, "1")
    with litewf.Engine(path, registry=litewf.Registry()):
        pass


def test_a_read_only_directory_is_refused(path: Path, spawn: Spawn) -> None:
    path.parent.chmod(0o555)
    child = spawn(
        "import tempfile\n"
        "with litewf.Engine(tempfile.mkdtemp() + '/other.db', registry=litewf.Registry()): pass\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "try: litewf.Engine(path, registry=litewf.Registry()).launch()\n"
        "except litewf.StoreUnsupportedError as error: say(error)\n"
    )
    for above in list(path.parents)[:4]:
        if above.stat().st_uid == os.getuid() and above != Path("/tmp"):  # noqa: S108 - where pytest puts things
            above.chmod(above.stat().st_mode | 0o055)
    try:
        assert "not writable" in child.hear() or "cannot look" in child.hear()
    finally:
        path.parent.chmod(0o755)
    assert list(path.parent.iterdir()) == []


def test_a_symbolic_link_leads_to_the_same_store(path: Path, registry: litewf.Registry) -> None:
    @registry.workflow
    def hello() -> str:
        return "hello"

    link = path.with_name("link.db")
    link.symlink_to(path)
    with litewf.Engine(path, registry=registry) as engine, litewf.Engine(link, registry=registry) as by_link:
        handle = engine.start_workflow(hello)
        assert by_link.retrieve_workflow(handle.workflow_id).get_result(timeout=20) == "hello"
    assert {file.name for file in path.parent.iterdir()} == {
        f"{path.name}{suffix}" for suffix in ("", "-next", "-turn")
    } | {"link.db"}
