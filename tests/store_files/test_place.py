"""Bad files and bad places: each has one clear error, and nothing is written."""

import os
import socket
from pathlib import Path

import apsw
import pytest

from litewf.errors import StoreCorruptError, StoreMovedError, StoreUnsupportedError, StoreVersionError
from litewf.store import place
from litewf.store.place import APPLICATION_ID, Identity

NEWEST = 7


def check(path, *, create=True, header=True, **options):
    place.check(path, create=create, header=header, newest=NEWEST, **options)


def database(path, application_id=0, user_version=0, encoding="UTF-8"):
    connection = apsw.Connection(str(path))
    connection.pragma("encoding", encoding)
    connection.pragma("application_id", application_id)
    connection.pragma("user_version", user_version)
    connection.execute("CREATE TABLE t (x)")
    connection.close()


def listing(directory):
    return {p: (s.st_ino, s.st_size, s.st_mtime_ns) for p in sorted(directory.rglob("*")) for s in [p.lstat()]}


def a_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's path is limited to some hundred bytes
        listener.bind(path.name)
        os.chdir(here)


def with_orphaned_wal(path):
    path.with_name(f"{path.name}-wal").write_bytes(b"frames")


def with_orphaned_wal_beside_nothing_in_it(path):
    path.touch()
    with_orphaned_wal(path)


def with_two_names(path):
    database(path)
    os.link(path, path.with_name("other.db"))


def cut_off(path):
    database(path)
    os.truncate(path, 40)


BAD_FILES = {
    "a directory": (os.mkdir, StoreUnsupportedError, "is a directory"),
    "a FIFO": (os.mkfifo, StoreUnsupportedError, "is a FIFO"),
    "a socket": (a_socket, StoreUnsupportedError, "is a socket"),
    "two names": (with_two_names, StoreUnsupportedError, "2 hard links"),
    "text": (
        lambda p: p.write_text("hello, world, this is a text"),
        StoreCorruptError,
        "not a SQLite database",
    ),
    "one byte": (lambda p: p.write_bytes(b"S"), StoreCorruptError, "not a SQLite database"),
    "cut off": (cut_off, StoreCorruptError, "cut off after 40 bytes"),
    "UTF-16le": (lambda p: database(p, encoding="UTF-16le"), StoreUnsupportedError, "UTF-16"),
    "UTF-16be": (lambda p: database(p, APPLICATION_ID, 1, "UTF-16be"), StoreUnsupportedError, "UTF-16"),
    "another program": (
        lambda p: database(p, 0x12345678),
        StoreUnsupportedError,
        "belongs to another program",
    ),
    "a used plain database": (
        lambda p: database(p, 0, 3),
        StoreUnsupportedError,
        "belongs to another program",
    ),
    "the future": (
        lambda p: database(p, APPLICATION_ID, NEWEST + 1),
        StoreVersionError,
        "written by a newer litewf",
    ),
    "a -wal without its file": (with_orphaned_wal, StoreCorruptError, "put the database back"),
    "a -wal beside zero bytes": (
        with_orphaned_wal_beside_nothing_in_it,
        StoreCorruptError,
        "put the database back",
    ),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_has_one_clear_line_and_nothing_is_written(db, kind):
    make, error, words = BAD_FILES[kind]
    make(db)
    before = listing(db.parent)
    with pytest.raises(error, match=words) as caught:
        check(db)
    assert str(db) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert listing(db.parent) == before


def test_a_device_is_refused():
    with pytest.raises(StoreUnsupportedError, match="is a device"):
        check(Path("/dev/null"))


@pytest.mark.parametrize(
    "make",
    [
        lambda _p: None,
        lambda p: p.touch(),
        database,
        lambda p: database(p, APPLICATION_ID, 1),
        lambda p: database(p, APPLICATION_ID, NEWEST),
        lambda p: (p.touch(), p.with_name(f"{p.name}-wal").touch()),
    ],
    ids=["missing", "zero bytes", "plain", "oldest", "newest", "an empty -wal"],
)
def test_a_good_file_passes_and_nothing_is_written(db, make):
    make(db)
    before = listing(db.parent)
    check(db)
    check(db, header=False)
    assert listing(db.parent) == before


def test_a_missing_file_is_an_error_when_it_may_not_be_created(db):
    with pytest.raises(StoreMovedError, match="does not exist"):
        check(db, create=False)


def test_without_header_the_file_is_not_opened_so_the_locks_of_sqlite_stay(db, spawn):
    connection = apsw.Connection(str(db))
    connection.execute("CREATE TABLE t (x)")
    connection.execute("BEGIN IMMEDIATE")
    check(db, header=False)
    Identity.of(db).check(db)
    other = spawn(
        "import apsw\n"
        "try: apsw.Connection(str(db)).execute('BEGIN IMMEDIATE'); say('got it')\n"
        "except apsw.BusyError: say('busy')"
    )
    assert other.hear() == "busy"
    connection.execute("ROLLBACK")
    connection.close()


def test_the_directory_must_be_there_and_be_one(tmp_path):
    with pytest.raises(StoreUnsupportedError, match="directory .*none does not exist: create it"):
        check(tmp_path / "none" / "app.db")
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnsupportedError, match="is not a directory"):
        check(tmp_path / "file" / "app.db")
    with pytest.raises(StoreUnsupportedError, match="does not exist"):
        check(tmp_path / "file" / "deeper" / "app.db")


def test_a_directory_or_file_without_write_permission_is_refused(db):
    database(db)
    with pytest.raises(StoreUnsupportedError, match=r"directory .* is not writable"):
        check(db, access=lambda path, _mode: path != db.parent)
    with pytest.raises(StoreUnsupportedError, match=r"app\.db is not readable and writable"):
        check(db, access=lambda path, _mode: path != db)
    asked = []
    check(db, access=lambda path, mode: asked.append((path, mode)) or True)
    assert asked == [(db.parent, os.W_OK | os.X_OK), (db, os.R_OK | os.W_OK)]


def test_a_directory_that_may_not_be_searched_is_refused(db, monkeypatch):
    def denied(self, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", denied)
    with pytest.raises(StoreUnsupportedError, match="cannot look at .*: Permission denied"):
        check(db)


def test_a_file_that_cannot_be_read_has_a_clear_error(db, monkeypatch):
    database(db)

    def broken(self, *_args, **_options):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", broken)
    with pytest.raises(StoreUnsupportedError, match=r"cannot read .*app\.db: Input/output error"):
        check(db)


def test_a_name_is_short_enough_for_the_files_beside_it(tmp_path):
    check(tmp_path / ("n" * 207))
    for name in ("n" * 208, "é" * 104, "n" * 255):
        with pytest.raises(StoreUnsupportedError, match="too long"):
            check(tmp_path / name)


MOUNTS = rb"""22 1 0:21 / /proc rw shared:1 - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 0:40 / /mnt rw - nfs4 server:/export rw,vers=4.2
31 30 254:1 / /mnt/local rw shared:5 master:1 - xfs /dev/vdb rw
32 27 0:41 / /my\040files rw - fuse.rclone remote: rw
33 27 0:42 / /twice rw - ext4 /dev/vdc rw
34 33 0:43 / /twice rw - cifs //server/share rw
nonsense
"""


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        (b"/", "ext4"),
        (b"/home/me", "ext4"),
        (b"/mnt", "nfs4"),
        (b"/mnt/deep/er", "nfs4"),
        (b"/mnt/local/x", "xfs"),
        (b"/mnt/localhost", "nfs4"),
        (b"/mntx", "ext4"),
        (b"/my files/x", "fuse.rclone"),
        (b"/twice", "cifs"),
    ],
)
def test_the_file_system_is_that_of_the_longest_and_latest_mount(directory, kind):
    assert place.file_system(directory, MOUNTS) == kind


def test_no_mounts_say_nothing():
    assert place.file_system(b"/", b"") == ""


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "fuse.rclone", "fuse"])
def test_network_and_synced_file_systems_are_refused_unless_allowed(db, kind, monkeypatch):
    monkeypatch.delenv("LITEWF_ALLOW_NETWORK_FS", raising=False)
    monkeypatch.setattr(place, "file_system", lambda _directory, _mounts: kind)
    with pytest.raises(StoreUnsupportedError, match=rf"\({kind}\).*LITEWF_ALLOW_NETWORK_FS=1"):
        check(db)
    monkeypatch.setenv("LITEWF_ALLOW_NETWORK_FS", "yes")
    with pytest.raises(StoreUnsupportedError):
        check(db)
    monkeypatch.setenv("LITEWF_ALLOW_NETWORK_FS", "1")
    check(db)


@pytest.mark.parametrize(
    "kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "fuseblk", "fuse.fuse-overlayfs", ""]
)
def test_local_file_systems_pass(db, kind, monkeypatch):
    monkeypatch.setattr(place, "file_system", lambda _directory, _mounts: kind)
    check(db)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "is empty"),
        ("a\0b", "NUL"),
        (":memory:", "in memory"),
        (Path(":memory:"), "in memory"),
        ("file:app.db", "is a URI"),
        ("file:///app.db?mode=ro", "is a URI"),
        ("sqlite:///app.db", "is a URI"),
        ("data/", "names a directory"),
        (b"app.db", "not bytes"),
        (None, "not NoneType"),
        (3, "not int"),
        (True, "not bool"),
        ("\ud800", "not a file name"),
        ("n" * 300, "File name too long"),
    ],
)
def test_what_is_no_path_of_a_file_is_refused(path, words):
    with pytest.raises(StoreUnsupportedError, match=words):
        place.resolve(path)


@pytest.mark.parametrize("name", ["a?b#c%20.db", " ", "é.db", "e\u0301.db", "file", "~", "-wal"])
def test_odd_but_valid_names_pass(tmp_path, name):
    assert place.resolve(str(tmp_path / name)) == tmp_path / name
    check(place.resolve(tmp_path / name))


def test_a_relative_path_becomes_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert place.resolve("app.db") == tmp_path / "app.db"
    assert place.resolve("../x/./app.db") == tmp_path.parent / "x" / "app.db"


def test_links_to_the_file_and_to_its_directory_are_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "dir").symlink_to("real")
    (tmp_path / "link.db").symlink_to("dir/app.db")
    for _ in ("missing", "there"):
        assert place.resolve(tmp_path / "link.db") == tmp_path / "real" / "app.db"
        (tmp_path / "real" / "app.db").touch()


def test_a_loop_of_links_is_refused(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    for path in (tmp_path / "a", tmp_path / "a" / "app.db"):
        with pytest.raises(StoreUnsupportedError, match="Too many levels of symbolic links"):
            place.resolve(path)


def test_a_relative_path_in_a_deleted_directory_is_refused(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(StoreUnsupportedError, match="working directory is gone"):
        place.resolve("app.db")


def test_a_file_stays_itself_while_it_is_written(db):
    database(db)
    identity = Identity.of(db)
    with db.open("ab") as file:
        file.write(b"more")
    assert identity.still(db)
    identity.check(db)


@pytest.mark.parametrize("how", ["moved", "replaced", "deleted", "its directory moved"])
def test_a_moved_replaced_or_deleted_file_is_noticed(db, how):
    database(db)
    identity = Identity.of(db)
    with db.open("rb"):  # as a connection would, so that the inode is not used again
        if how == "moved":
            db.rename(db.with_name("elsewhere"))
        elif how == "its directory moved":
            db.parent.rename(db.parent.with_name("elsewhere"))
        else:
            db.unlink()
        if how == "replaced":
            database(db)
        assert not identity.still(db)
        with pytest.raises(StoreMovedError, match="was moved, replaced or deleted"):
            identity.check(db)


def test_a_missing_file_has_no_identity(db):
    with pytest.raises(StoreMovedError, match="does not exist"):
        Identity.of(db)
