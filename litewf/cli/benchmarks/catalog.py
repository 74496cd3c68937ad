"""The workloads as data: who runs what at which size, and which figures are shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

RAW = "raw apsw"
LITEWF = "litewf"
HERE = "litewf.cli.benchmarks"


@dataclass(frozen=True, slots=True)
class Call:
    """One function of a contestant's module, and the sizes that it is called with."""

    module: str
    function: str
    sizes: dict[str, int] = field(default_factory=dict)
    quick: dict[str, int] = field(default_factory=dict)  # other sizes, for those who cannot wait
    fixture: Call | None = None  # builds the file that it starts from, once for all rounds


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: which figure of the measurement it shows, in which unit."""

    label: str
    figure: str
    unit: str


@dataclass(frozen=True, slots=True)
class Workload:
    """One comparison: the contestants take turns, and each turn yields the figures of every row."""

    name: str
    calls: dict[str, Call]
    rows: tuple[Row, ...]
    note: str  # with the sizes of litewf's call in braces
    most_rounds: int | None = None

    @property
    def described(self) -> str:
        """The note with its sizes."""
        return self.note.format(**self.calls[LITEWF].sizes)

    def at_quick_sizes(self) -> Workload:
        """The same, smaller, once."""
        calls = {name: replace(call, sizes={**call.sizes, **call.quick}) for name, call in self.calls.items()}
        return replace(self, calls=calls, most_rounds=1)


def _steps(name: str, kind: str) -> Workload:
    sizes, quick = {"workflows": 5_000, "steps": 5}, {"workflows": 300}
    return Workload(
        name=name,
        calls={
            RAW: Call(f"{HERE}.raw", "batched_rows", sizes, quick),
            LITEWF: Call(f"{HERE}.ours", name, sizes, quick),
        },
        rows=(Row(name, "rate", "steps/s"),),
        note=f"{{workflows:,}} {kind} workflows of {{steps}} no-op steps started at once;"
        " raw: rows in 1,000-row transactions",
    )


def _sequence(name: str, kind: str) -> Workload:
    return Workload(
        name=name,
        calls={
            RAW: Call(f"{HERE}.raw", "single_rows", {"rows": 2_000}, {"rows": 200}),
            LITEWF: Call(f"{HERE}.ours", name, {"steps": 2_000}, {"steps": 200}),
        },
        rows=(Row(name, "rate", "steps/s"),),
        note=f"one {kind} workflow, {{steps:,}} no-op steps one after the other; raw: one-row commits",
    )


def _latency(name: str, size: str, note: str) -> Workload:
    return Workload(
        name=name,
        calls={LITEWF: Call(f"{HERE}.talking", name, {size: 200}, {size: 50})},
        rows=(Row(f"{name}: p50", "p50_ms", "ms"), Row(f"{name}: p99", "p99_ms", "ms")),
        note=note,
    )


TALKING = (
    _latency("message", "messages", "from the call of send, outside, until recv returned in the workflow"),
    _latency("message_across", "messages", "the same, sent by another process"),
    _latency("event", "events", "from the call of set_event until a get_event that waited for it returned"),
    _latency("event_across", "events", "the same, awaited by another process"),
    Workload(
        name="stream",
        calls={
            RAW: Call(f"{HERE}.raw", "single_rows", {"rows": 2_000}, {"rows": 200}),
            LITEWF: Call(f"{HERE}.talking", "stream", {"values": 2_000}, {"values": 200}),
        },
        rows=(Row("stream", "rate", "values/s"),),
        note="one workflow writes {values:,} values to a stream; raw: one-row commits",
    ),
    Workload(
        name="streams",
        calls={
            RAW: Call(f"{HERE}.raw", "batched_rows", {"workflows": 5_000, "steps": 5}, {"workflows": 300}),
            LITEWF: Call(f"{HERE}.talking", "streams", {"workflows": 100, "values": 250}, {"values": 20}),
        },
        rows=(Row("streams", "rate", "values/s"),),
        note="{workflows:,} async workflows write {values:,} values each; raw: rows in 1,000-row transactions",
    ),
    Workload(
        name="parked",
        calls={
            LITEWF: Call(
                f"{HERE}.talking",
                "parked_in_recv",
                {"workflows": 100_000, "warm_up": 50_000, "rest": 10},
                {"workflows": 3_000, "warm_up": 2_000, "rest": 1},
            ),
        },
        rows=(
            Row("parked: memory", "bytes_each", "bytes each"),
            Row("parked: threads", "threads", "threads"),
            Row("parked: CPU", "cpu_percent", "%"),
            Row("parked: one wakes", "wake_ms", "ms"),
        ),
        note="{workflows:,} async workflows wait in recv, at rest; then single messages wake some of them",
        most_rounds=1,
    ),
)


def _queueing(name: str, function: str, sizes: dict[str, int], quick: dict[str, int], note: str) -> Workload:
    return Workload(
        name=name,
        calls={LITEWF: Call(f"{HERE}.queueing", function, sizes, quick)},
        rows=(Row(name, "rate", "workflows/s"),),
        note=note,
    )


QUEUEING = (
    _queueing("enqueue", "enqueue", {"workflows": 10_000, "threads": 8}, {"workflows": 400},
              "{threads} threads enqueue {workflows:,} workflows one by one"),
    _queueing("enqueue_batches", "enqueue_batches", {"workflows": 50_000}, {"workflows": 2_000},
              "one thread enqueues {workflows:,} workflows, 1,000 in a commit"),
    _queueing("drain_10", "drain", {"workflows": 50_000, "concurrency": 10}, {"workflows": 1_000},
              "{workflows:,} no-op workflows off a queue with worker_concurrency={concurrency}"),
    _queueing("drain_100", "drain", {"workflows": 50_000, "concurrency": 100}, {"workflows": 1_000},
              "{workflows:,} no-op workflows off a queue with worker_concurrency={concurrency}"),
    Workload(
        name="start",
        calls={LITEWF: Call(f"{HERE}.queueing", "start_latency", {"workflows": 200}, {"workflows": 50})},
        rows=(Row("start: p50", "p50_ms", "ms"), Row("start: p99", "p99_ms", "ms")),
        note="from enqueue until the workflow runs, on an idle engine",
    ),
    Workload(
        name="idle",
        calls={LITEWF: Call(f"{HERE}.queueing", "idle", {"queues": 100, "rest": 10}, {"rest": 1})},
        rows=(Row("idle: CPU", "cpu_percent", "%"),),
        note="an engine with {queues:,} queues, {queues:,} schedules and nothing to do",
        most_rounds=1,
    ),
)  # fmt: skip
WORKLOADS = (
    _steps("async_steps", "async"),
    _steps("sync_steps", "sync"),
    _sequence("sequence_async", "async"),
    _sequence("sequence_sync", "sync"),
    Workload(
        name="recovery",
        calls={
            LITEWF: Call(f"{HERE}.ours", "recovery", {"workflows": 1_000, "steps": 10}, {"workflows": 100}),
        },
        rows=(Row("recovery", "seconds", "s"),),
        note="{workflows:,} workflows with {steps} finished steps and one to do, killed;"
        " from launch until all are done",
    ),
    Workload(
        name="asleep",
        calls={
            LITEWF: Call(
                f"{HERE}.ours",
                "asleep",
                {"workflows": 100_000, "warm_up": 50_000, "rest": 10},
                {"workflows": 3_000, "warm_up": 2_000, "rest": 1},
            ),
        },
        rows=(
            Row("asleep: memory", "bytes_each", "bytes each"),
            Row("asleep: the process", "resident_mb", "MB"),
            Row("asleep: threads", "threads", "threads"),
            Row("asleep: CPU", "cpu_percent", "%"),
        ),
        note="{workflows:,} async workflows asleep for an hour, at rest, after {warm_up:,} others that have filled"
        " SQLite's cache of the file; the process's memory and threads in all",
        most_rounds=1,
    ),
    *TALKING,
    *QUEUEING,
    Workload(
        name="import",
        calls={
            RAW: Call(f"{HERE}.importing", "apsw", {"runs": 15}, {"runs": 3}),
            LITEWF: Call(f"{HERE}.importing", "litewf", {"runs": 15}, {"runs": 3}),
        },
        rows=(Row("import", "milliseconds", "ms"),),
        note="the time of an import beyond the bare interpreter's start; raw: apsw alone, a part of it",
        most_rounds=1,
    ),
)
