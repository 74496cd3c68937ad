"""What the shop says to the stage, line by line over its standard output; `go` comes back over standard input."""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Literal, NamedTuple

What = Literal["launching", "began", "asleep", "ran", "replayed", "woke", "done"]
GO = "go\n"


class Message(NamedTuple):
    """Something happened to a step (or to the whole process) at a time of the system's clock."""

    what: What
    step: str
    at: float
    detail: str

    @property
    def waits(self) -> bool:
        """Whether the shop goes on only when it hears `go`."""
        return self.what in {"ran", "woke"}


def say(what: What, step: str = "", detail: str = "") -> None:
    """Write one line in one piece, whichever thread calls; then wait for `go` where the message asks for it."""
    message = Message(what, step, time.time(), detail)
    os.write(sys.stdout.fileno(), (json.dumps(message) + "\n").encode())
    if message.waits and sys.stdin.readline() != GO:
        os._exit(1)  # nobody watches any more


def parse(line: str) -> Message:
    return Message(*json.loads(line))
