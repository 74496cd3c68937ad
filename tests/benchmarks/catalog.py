"""The workloads of `litewf bench`, with the peer as a further contestant, one more workload, and the goals."""

from dataclasses import dataclass, replace
from typing import Final

from litewf.cli.benchmarks.catalog import LITEWF, RAW, Call, Row, Workload
from litewf.cli.benchmarks.catalog import WORKLOADS as SHARED

EMPTY: Final = "litewf (empty)"
DBOS: Final = "dbos"
DBOS_WAL: Final = "dbos (WAL)"
HUEY: Final = "huey"
FEW: Final = "litewf (5,000 waiting)"
COLUMNS: Final = (RAW, LITEWF, DBOS, DBOS_WAL, HUEY)
HERE: Final = "tests.benchmarks"
QUEUEING: Final = f"{HERE}.transact_queueing"
TALKING: Final = f"{HERE}.transact_talking"


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on litewf's figure: on its own, or as a ratio to another contestant's figure of the same round."""

    bound: float
    of: str | None = None
    at_most: bool = False

    def is_met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound


# by the label of the row
GOALS: Final[dict[str, tuple[Goal, ...]]] = {
    "async_steps": (Goal(0.15, of=RAW), Goal(100, of=DBOS)),
    "sync_steps": (Goal(0.04, of=RAW), Goal(25, of=DBOS)),
    "sequence_async": (Goal(0.5, of=RAW),),
    "sequence_sync": (Goal(0.5, of=RAW),),
    "recovery": (Goal(1.0, at_most=True),),
    "asleep: memory": (Goal(100, at_most=True),),
    "asleep: threads": (Goal(250, at_most=True),),
    "asleep: CPU": (Goal(1.0, at_most=True),),
    "message: p50": (Goal(2, at_most=True),),
    "message_across: p50": (Goal(25, at_most=True),),
    "event: p50": (Goal(2, at_most=True),),
    "event_across: p50": (Goal(25, at_most=True),),
    "stream": (Goal(0.5, of=RAW),),
    "streams": (Goal(0.1, of=RAW),),
    "parked: memory": (Goal(100, at_most=True),),
    "parked: threads": (Goal(250, at_most=True),),
    "parked: CPU": (Goal(1.0, at_most=True),),
    "parked: one wakes": (Goal(5, at_most=True),),
    "drain_10": (Goal(50, of=DBOS), Goal(1, of=HUEY)),
    "drain_100": (Goal(50, of=DBOS), Goal(1, of=HUEY)),
    "start: p50": (Goal(3, at_most=True),),
    "idle: CPU": (Goal(1.0, at_most=True),),
    "waiting": (Goal(0.85, of=FEW),),
    "history": (Goal(0.85, of=EMPTY),),
    "list": (Goal(100, at_most=True),),
    "show": (Goal(100, at_most=True),),
    "import": (Goal(60, at_most=True),),
    "import: foreign packages": (Goal(0, at_most=True),),
}


def _transact(function: str, module: str = f"{HERE}.transact", **sizes: int) -> dict[str, Call]:
    """DBOS on a file as it makes it, and on one that was set to WAL before."""
    return {
        DBOS: Call(module, function, {**sizes, "wal": 0}),
        DBOS_WAL: Call(module, function, {**sizes, "wal": 1}),
    }


def _huey(function: str, **sizes: int) -> Call:
    return Call(f"{HERE}.hueys", function, sizes)


PEERS: Final = {
    "async_steps": _transact("async_steps", workflows=100, steps=5),
    "sync_steps": _transact("sync_steps", workflows=100, steps=5),
    "sequence_async": _transact("sequence_async", steps=2_000),
    "sequence_sync": _transact("sequence_sync", steps=2_000),
    "recovery": _transact("recovery", workflows=1_000, steps=10),
    "asleep": {DBOS: Call(f"{HERE}.transact", "asleep", {"workflows": 1_000, "rest": 10, "wal": 0})},
    "message": _transact("message", TALKING, messages=10),
    "message_across": _transact("message_across", TALKING, messages=10),
    "event": _transact("event", TALKING, events=10),
    "event_across": _transact("event_across", TALKING, events=10),
    "stream": _transact("stream", TALKING, values=300),
    "enqueue": {**_transact("enqueue", QUEUEING, workflows=800, threads=8), HUEY: _huey("enqueue", workflows=10_000)},
    "drain_10": {**_transact("drain", QUEUEING, workflows=200, concurrency=10), HUEY: _huey("drain", concurrency=10)},
    "drain_100": {
        **_transact("drain", QUEUEING, workflows=400, concurrency=100),
        HUEY: _huey("drain", concurrency=100),
    },
    "import": {DBOS: Call(f"{HERE}.transact", "importing", {"runs": 15})},
}
FOREIGN: Final = Row("import: foreign packages", "foreign", "packages")


def _with_peer(shared: Workload) -> Workload:
    rows = (*shared.rows, FOREIGN) if shared.name == "import" else shared.rows
    return replace(shared, calls={**shared.calls, **PEERS.get(shared.name, {})}, rows=rows)


def _history() -> Workload:
    [empty] = [shared.calls[LITEWF] for shared in SHARED if shared.name == "async_steps"]
    return Workload(
        name="history",
        calls={EMPTY: empty, LITEWF: replace(empty, fixture=Call(f"{HERE}.history", "finished"))},
        rows=(Row("history", "rate", "steps/s"),),
        note="async_steps on a file with 1,000,000 finished workflows, as a share of the same on an empty file",
    )


def _looking() -> Workload:
    call = Call(f"{HERE}.looking", "commands", {"runs": 15}, fixture=Call(f"{HERE}.history", "finished"))
    return Workload(
        name="looking",
        calls={LITEWF: call},
        rows=(
            Row("list", "list", "ms"),
            Row("list: CPU", "list_cpu", "ms"),
            Row("show", "show", "ms"),
            Row("show: CPU", "show_cpu", "ms"),
        ),
        note="`litewf list` and `litewf show` on a file with 1,000,000 workflows, beyond the start of the interpreter",
    )


def _waiting() -> Workload:
    call = Call("litewf.cli.benchmarks.queueing", "waiting", {"workflows": 1_000_000, "run": 5_000})
    return Workload(
        name="waiting",
        calls={FEW: replace(call, sizes={"workflows": 5_000, "run": 5_000}), LITEWF: call},
        rows=(Row("waiting", "rate", "workflows/s"),),
        note="{run:,} workflows off a queue on which {workflows:,} wait, as a share of the same on a short queue",
        most_rounds=1,
    )


WORKLOADS: Final = (*(_with_peer(shared) for shared in SHARED), _history(), _looking(), _waiting())
