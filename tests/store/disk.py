"""A disk that fails on demand: a VFS between SQLite and the real files, with a trace of what passed.

While it is in place it is the process's default VFS, so that whole engines run on it. A rule sees each operation, as
`("sync", "-wal")`, and returns SQLite's code for the error to raise, or None. Shared memory passes by untouched.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw

Rule = Callable[[str, str], int | None]
FULL, SYNC_FAILED, WRITE_FAILED = apsw.SQLITE_FULL, apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_WRITE
KINDS = ("-wal", "-shm", "-journal")


class Disk:
    """What passes, and what is to go wrong."""

    def __init__(self) -> None:
        self.trace: list[tuple[str, str]] = []
        self.rule: Rule | None = None

    def meet(self, operation: str, kind: str) -> None:
        code = self.rule(operation, kind) if self.rule is not None else None
        self.trace.append((operation if code is None else f"failed {operation}", kind))
        if code is not None:
            raise apsw.exception_for(code)

    def fail(self, operation: str, kind: str, code: int, *, at: int = 1, times: int = 1) -> None:
        """Let the `at`-th operation of a kind fail from now on, and the following up to `times`."""
        seen = 0

        def rule(met: str, where: str) -> int | None:
            nonlocal seen
            if (met, where) != (operation, kind):
                return None
            seen += 1
            return code if at <= seen < at + times else None

        self.rule = rule

    def fill(self) -> None:
        """No file can be written any more."""
        self.rule = lambda operation, _kind: FULL if operation == "write" else None

    def heal(self) -> None:
        self.rule = None


class FaultyFile(apsw.VFSFile):
    """A real file of a disk."""

    def __init__(self, disk: Disk, kind: str, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("unix", name, flags)
        self._disk = disk
        self._kind = kind

    def excepthook(self, *_error: object) -> bool:
        """Print nothing: the error is on purpose."""
        return True

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - apsw's name
        self._disk.meet("write", self._kind)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - apsw's name
        self._disk.meet("sync", self._kind)
        super().xSync(flags)

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - apsw's name
        self._disk.meet("read", self._kind)
        return super().xRead(amount, offset)


class FaultyVFS(apsw.VFS):
    """Opens the files of one disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__("faulty", "unix", makedefault=True)

    def excepthook(self, *_error: object) -> bool:
        """Print nothing: the error is on purpose."""
        return True

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> FaultyFile:  # noqa: N802 - apsw's name
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        kind = next((kind for kind in KINDS if str(text).endswith(kind)), "db")
        self._disk.meet("open", kind)
        return FaultyFile(self._disk, kind, name, flags)


@contextmanager
def faulty_disk() -> Iterator[Disk]:
    """Everything that is opened inside is on a disk that can fail."""
    disk = Disk()
    vfs = FaultyVFS(disk)
    try:
        yield disk
    finally:
        disk.heal()
        apsw.set_default_vfs("unix")
        vfs.unregister()
