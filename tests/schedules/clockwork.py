"""What the processes of these tests run: an engine whose clock is a file that the test turns, and ticks in a diary."""

import mmap
import os
import struct
import sys
import threading
from datetime import datetime
from pathlib import Path

import litewf

LOOK_S = 0.002  # between looks at the clock, which no notification announces


class FileClock(litewf.Clock):
    """Shows what is written in a file."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)

    def now_us(self) -> int:
        return int(struct.unpack("<q", self._memory[:8])[0])

    def turn(self, now_us: int) -> None:
        self._memory[:8] = struct.pack("<q", now_us)

    def wait(self, condition: threading.Condition, timeout_us: int) -> None:
        condition.wait(min(timeout_us / 1_000_000, LOOK_S))


def open_clock(path: Path, now_us: int) -> FileClock:
    path.write_bytes(struct.pack("<q", now_us))
    return FileClock(path)


def registry_for(diary: Path) -> litewf.Registry:
    """Three schedules, whose ticks are lines in a file."""
    registry = litewf.Registry()

    @registry.step(name="write")
    def write(line: str) -> None:
        fd = os.open(diary, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, f"{line}\n".encode())
        os.close(fd)

    @registry.workflow(name="tick")
    def tick(scheduled_at: datetime, actual_at: datetime) -> None:
        write(litewf.workflow_id())

    for name, cron, on_missed in (("a", "* * * * *", "all"), ("b", "*/7 * * * *", "all"), ("c", "*/3 * * * *", "once")):
        litewf.scheduled(cron, name=name, on_missed=on_missed)(tick)  # type: ignore[arg-type]  # one of the three
    return registry


def main() -> None:
    folder = Path(sys.argv[1])
    registry = registry_for(folder / "diary")
    with litewf.Engine(folder / "flows.db", registry=registry, clock=FileClock(folder / "clock"), durability="normal"):
        print("up", flush=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main()
