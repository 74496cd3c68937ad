"""One workflow as the model knows it: a script of acts, what is recorded of it, and what it shows to others.

An act takes a known count of step numbers, so the records alone say how far a workflow has come. `SHAPES` lists them.
"""

from dataclasses import dataclass, field
from typing import Any

from tests.queues.model import Job

Act = tuple[Any, ...]  # its kind and its details, as a line of JSON holds them
NEVER_US = 1 << 62
SHAPES = {  # kind: (step numbers, whether what it brought is in the result)
    "hold": (1, False),  # a body that runs until it is released
    "step": (1, False),
    "flaky": (1, True),  # fails so many times
    "tally": (1, False),  # a transaction that counts in a table of the user
    "uuid": (2, False),  # a buffered value, and a body that sees it
    "sleep": (1, False),
    "recv": (1, True),  # topic, timeout
    "send": (1, False),  # to whom; on the topic of peers
    "event": (1, False),  # its value
    "sign": (1, False),  # an event with the same value each time, for those who get it
    "get": (1, True),  # whose sign, timeout
    "await": (1, True),  # the type of a CloudEvent, timeout
    "write": (1, False),  # a stream, a value
    "close": (1, False),
    "child": (2, True),  # its queue, its script, its partition
    "fail": (0, False),
    "again": (0, False),  # continue as new
}


class Failed(str):
    """What a step brought that is recorded as an error."""

    __slots__ = ()


@dataclass
class Message:
    """In the inbox of a workflow."""

    topic: str | None
    value: Any
    taken_by: int | None = None


@dataclass
class Shown:
    """A value of an event or of a stream; None closes the stream."""

    name: str
    value: Any
    step: int


@dataclass
class Flow(Job):
    """A workflow."""

    acts: tuple[Act, ...] = ()
    created_us: int = 0
    carried: tuple[Any, ...] = ()  # what earlier generations brought
    records: list[Any] = field(default_factory=list)
    inbox: list[Message] = field(default_factory=list)
    message_keys: set[str] = field(default_factory=set)
    events: list[Shown] = field(default_factory=list)
    streams: list[Shown] = field(default_factory=list)
    taken: dict[int, int] = field(default_factory=dict)  # CloudEvents, and the steps that took them
    generation: int = 1
    promise_us: int | None = None  # until when the call waits to which it has come
    attempts: int = 0  # of that call, so far
    stray_counts: bool = True  # whether what the stray body brings is still recorded
    timeout_us: int | None = None
    deadline_us: int | None = None
    result: list[Any] | None = None

    @property
    def step(self) -> int:
        """The number of its next durable call."""
        return len(self.records) + 1

    @property
    def place_in_script(self) -> tuple[int, int]:
        """Which act is next, and how many of its calls are recorded."""
        left = len(self.records)
        for at, act in enumerate(self.acts):
            numbers = SHAPES[act[0]][0]
            if left < numbers or (not numbers and not left):
                return at, left
            left -= numbers
        return len(self.acts), 0

    @property
    def next_act(self) -> Act | None:
        at, _ = self.place_in_script
        return self.acts[at] if at < len(self.acts) else None

    @property
    def act(self) -> str:
        """As the model of queues asks: 'h' if it is a body that stays."""
        act = self.next_act
        return "h" if act is not None and act[0] == "hold" else ""

    @property
    def has_ended(self) -> bool:
        return self.status in ("SUCCESS", "ERROR", "CANCELLED")

    def brought(self) -> list[Any]:
        """What the workflow knows so far."""
        found, number = list(self.carried), 0
        for kind, *_ in self.acts:
            numbers, tells = SHAPES[kind]
            number += numbers
            if number > len(self.records):
                break
            if tells:
                found.append(self.records[number - 1])
        return found

    def settle(self, value: Any) -> None:
        self.records.append(value)
        self.promise_us, self.attempts = None, 0

    def child_id(self) -> str:
        generation = f"@{self.generation}" if self.generation > 1 else ""
        return f"{self.id}~{self.step}{generation}"

    # --- histories ----------------------------------------------------------------------------------------------

    def first_failed(self) -> int:
        failed = (number for number, value in enumerate(self.records, 1) if isinstance(value, Failed))
        return next(failed, self.step)

    def cut(self, start: int) -> None:
        """Forget the steps from `start` on, and what they did."""
        del self.records[start - 1 :]
        self.promise_us, self.attempts = None, 0
        for message in self.inbox:
            if message.taken_by is not None and message.taken_by >= start:
                message.taken_by = None
        self.events = [one for one in self.events if one.step < start]
        self.streams = [one for one in self.streams if one.step < start]
        self.taken = {event: step for event, step in self.taken.items() if step < start}

    def seal(self) -> None:
        """A new generation begins."""
        self.carried = tuple(self.brought())
        at, _ = self.place_in_script
        self.acts = self.acts[at + 1 :]
        self.records, self.generation = [], self.generation + 1
        self.inbox = [message for message in self.inbox if message.taken_by is None]
        latest = {one.name: one for one in self.events}
        self.events = [one for one in self.events if latest[one.name] is one]
        for shown in (*self.events, *self.streams):
            shown.step = 0
        self.taken = dict.fromkeys(self.taken, 0)

    def forked(self, new_id: str, start: int, now_us: int) -> "Flow":
        kept = self.records[: start - 1]
        return Flow(
            new_id, 0, None, "", acts=self.acts, created_us=now_us, carried=self.carried, records=kept,
            events=[Shown(one.name, one.value, one.step) for one in self.events if one.step < start],
            streams=[Shown(one.name, one.value, one.step) for one in self.streams if one.step < start],
            taken={event: step for event, step in self.taken.items() if step < start},
            status="PENDING", place="ready",
        )  # fmt: skip

    # --- what others see ----------------------------------------------------------------------------------------

    def unread_messages(self) -> list[tuple[str | None, Any]]:
        return [(message.topic, message.value) for message in self.inbox if message.taken_by is None]

    def shown_events(self) -> dict[str, Any]:
        return {one.name: one.value for one in self.events}

    def shown_streams(self) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for one in self.streams:
            found.setdefault(one.name, []).append(one.value)
        return found

    def is_closed(self, name: str) -> bool:
        return any(one.name == name and one.value is None for one in self.streams)
