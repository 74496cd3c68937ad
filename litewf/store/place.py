"""Where a store may live: bad files and bad places are refused before anything is written.

The store calls `resolve` and `check` before it opens a connection, and keeps an `Identity` to notice later
that the file was moved or replaced. This module must never write, and must never open the database while a
connection of this process has it open: closing any descriptor of a file drops all POSIX locks that the
process has on it, those of SQLite included. `check(header=False)` and `Identity` only call stat.
"""

import os
import stat
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self

from litewf.errors import StoreCorruptError, StoreMovedError, StoreUnsupportedError, StoreVersionError

APPLICATION_ID = 0x4C574631  # "LWF1"

_MAGIC = b"SQLite format 3\0"
_HEADER = 100  # bytes
_LONGEST_SUFFIX = 48  # bytes that the names of our files beside the database may add to its own
_ALLOW_NETWORK = "LITEWF_ALLOW_NETWORK_FS"

# File systems whose locks or shared memory do not reach all who can open the file. A FUSE file system may be
# anything (sshfs, rclone, a synced folder), so only those known to be local are let through.
# fmt: off
_NETWORK = frozenset({
    "9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs2", "glusterfs", "gpfs",
    "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs",
    "sshfs", "vboxsf", "vmhgfs", "webdav",
})
# fmt: on
_LOCAL_FUSE = frozenset({"fuseblk", "fuse.fuse-overlayfs", "fuse.gocryptfs", "fuse.encfs", "fuse.ntfs-3g"})

_NOT_A_FILE = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def resolve(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of the file itself, all links followed, so that all processes agree on it."""
    text = _text(path)
    try:
        real = Path(os.path.realpath(text))
    except FileNotFoundError as error:
        raise StoreUnsupportedError(f"{text!r} is relative and the working directory is gone") from error
    except ValueError as error:
        raise StoreUnsupportedError(f"{text!r} is not a file name here: give the path of a file") from error
    _stat(real)  # a loop of links, a name too long
    return real


def check(
    path: Path, *, create: bool, header: bool, newest: int, access: Callable[[Path, int], bool] = os.access
) -> None:
    """Raise unless a store can live, or lives, at `path`, which `resolve` returned.

    `create` allows the file to be missing. `newest` is the highest schema version that this code knows.
    `header` also reads the first bytes; it must be false while a connection of this process has the file open
    (see above). They may be older than the -wal: the pragmas that a connection reads have the last word.
    """
    _check_directory(path, access)
    _check_file_system(path)
    found = _stat(path)
    if found is None:
        if not create:
            raise StoreMovedError(
                f"{path} does not exist: an engine creates it; the path is wrong, or it was moved or deleted"
            )
    else:
        _check_kind(path, found, access)
    if found is None or found.st_size == 0:
        _check_no_orphaned_wal(path)
    elif header:
        _check_header(path, newest)


class Identity(NamedTuple):
    """Which file a path named; reliable while a connection keeps it open, as then its inode is not reused."""

    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Identify the file that `path` names now, without opening it."""
        found = _stat(path)
        if found is None:
            raise StoreMovedError(f"{path} does not exist: it was moved or deleted, or the path is wrong")
        return cls(found.st_dev, found.st_ino)

    def still(self, path: Path) -> bool:
        """Whether `path` names the same file as before."""
        found = _stat(path)
        return found is not None and (found.st_dev, found.st_ino) == (self.device, self.inode)

    def check(self, path: Path) -> None:
        """Raise when `path` names another file, or none."""
        if not self.still(path):
            raise StoreMovedError(
                f"{path} was moved, replaced or deleted while it was open: nothing more is written;"
                " put the file back, or restart on the one that is there now"
            )


def _text(path: str | os.PathLike[str]) -> str:
    try:
        text: object = os.fspath(path)
    except TypeError:
        text = path
    if not isinstance(text, str):
        raise StoreUnsupportedError(f"the path of a store must be a str or a Path, not {type(path).__name__}")
    if not text:
        raise StoreUnsupportedError("the path of the store is empty: give the path of a file")
    if "\0" in text:
        raise StoreUnsupportedError(f"{text!r} contains a NUL character: give the path of a file")
    if text == ":memory:":
        raise StoreUnsupportedError("a store in memory would not survive anything: give the path of a file")
    if text.startswith("file:") or "://" in text:
        raise StoreUnsupportedError(f"{text!r} is a URI: give the path of a file")
    if text.endswith(("/", os.sep)):
        raise StoreUnsupportedError(f"{text!r} names a directory: give the path of a file")
    return text


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StoreUnsupportedError(f"cannot look at {path}: {error.strerror}") from error


def _check_directory(path: Path, access: Callable[[Path, int], bool]) -> None:
    parent = path.parent
    found = _stat(parent)
    if found is None:
        raise StoreUnsupportedError(f"the directory {parent} does not exist: create it first")
    if not stat.S_ISDIR(found.st_mode):
        raise StoreUnsupportedError(f"{parent} is not a directory, so {path.name} cannot be in it")
    if not access(parent, os.W_OK | os.X_OK):
        raise StoreUnsupportedError(
            f"the directory {parent} is not writable: SQLite and litewf keep files beside {path.name};"
            " change its rights or use another directory"
        )
    longest = 255 - _LONGEST_SUFFIX
    if len(os.fsencode(path.name)) > longest:
        raise StoreUnsupportedError(f"the file name of {path} is too long: use at most {longest} bytes")


def _check_kind(path: Path, found: os.stat_result, access: Callable[[Path, int], bool]) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _NOT_A_FILE.get(stat.S_IFMT(found.st_mode), "no regular file")
        raise StoreUnsupportedError(f"{path} is {kind}: give the path of a regular file")
    if found.st_nlink > 1:
        raise StoreUnsupportedError(
            f"{path} has {found.st_nlink} hard links: opened by two names it would have two -wal files"
            " and be damaged; remove the other names"
        )
    if not access(path, os.R_OK | os.W_OK):
        raise StoreUnsupportedError(f"{path} is not readable and writable by this user: change its rights")


def _check_no_orphaned_wal(path: Path) -> None:
    wal = _stat(path.with_name(f"{path.name}-wal"))
    if wal is not None and wal.st_size > 0:
        raise StoreCorruptError(
            f"{path} is missing or empty but {path.name}-wal holds data, which opening it would delete:"
            " put the database back beside it, or move the -wal away to start afresh"
        )


def _can_be_repaired(path: Path) -> bool:
    """Whether the power may have been cut while SQLite wrote the header: what it needs then lies beside the file."""
    found = (_stat(path.with_name(f"{path.name}{suffix}")) for suffix in ("-journal", "-wal"))
    return any(one is not None and one.st_size > 0 for one in found)


def _check_header(path: Path, newest: int) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(_HEADER)
    except OSError as error:
        raise StoreUnsupportedError(f"cannot read {path}: {error.strerror}") from error
    if not (head.startswith(_MAGIC) and len(head) == _HEADER) and _can_be_repaired(path):
        return  # opening it repairs it, or says that it is damaged
    if not head.startswith(_MAGIC):
        raise StoreCorruptError(f"{path} is not a SQLite database (or an encrypted one): give litewf its own file")
    if len(head) < _HEADER:
        raise StoreCorruptError(f"{path} is cut off after {len(head)} bytes: restore it from a backup")
    encoding, version, application = (int.from_bytes(head[at : at + 4], "big") for at in (56, 60, 68))
    if encoding > 1:
        raise StoreUnsupportedError(f"{path} is encoded in UTF-16: litewf needs UTF-8; give it its own file")
    if application == APPLICATION_ID:
        if version > newest:
            raise StoreVersionError(
                f"{path} was written by a newer litewf (schema {version}, this one knows {newest}): upgrade litewf"
            )
    elif application or version:  # both 0: a plain database that litewf may move into
        raise StoreUnsupportedError(
            f"{path} belongs to another program (application_id {application:#x}, user_version {version}):"
            " give litewf its own file"
        )


def _check_file_system(path: Path) -> None:
    """Refuse network and synced file systems, on Linux only.

    Elsewhere only C structures that differ between systems name the type of a mount, and a wrong guess about
    them would crash: there the documentation has to do.
    """
    if os.environ.get(_ALLOW_NETWORK) == "1" or not sys.platform.startswith("linux"):
        return
    kind = _kind_of(path.parent, path.parent.stat().st_dev)
    if kind in _NETWORK or (kind.startswith("fuse") and kind not in _LOCAL_FUSE):
        raise StoreUnsupportedError(
            f"{path} is on a network or synced file system ({kind}), where SQLite's locks fail:"
            f" use a local disk, or set {_ALLOW_NETWORK}=1 at your own risk"
        )


@lru_cache(maxsize=64)
def _kind_of(directory: Path, _device: int) -> str:
    """The type of the file system there; asked again when another one is mounted over it."""
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return ""
    return file_system(os.fsencode(directory), mounts)


def file_system(directory: bytes, mounts: bytes) -> str:
    """Return the type of the file system that `directory` is on, by the text of `mountinfo`; "" if none."""
    best, kind = b"", ""
    for line in mounts.splitlines():
        left, _, right = line.partition(b" - ")
        fields = left.split(b" ", 5)
        if len(fields) < 5 or not right:
            continue
        # Blanks and the like are written as octal escapes. Later mounts hide earlier ones at the same point.
        point = fields[4]
        if b"\\" in point:
            point = point.decode("unicode_escape").encode("latin-1")
        point = point.rstrip(b"/") + b"/"
        if (directory + b"/").startswith(point) and len(point) >= len(best):
            best, kind = point, right.split(b" ")[0].decode("latin-1")
    return kind
