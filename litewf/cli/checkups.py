"""What `litewf doctor` looks at: each check reads, and yields findings with what to do about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple, TypeVar

from litewf.cli import output
from litewf.errors import StoreError
from litewf.store import diagnosis, lockfile, looking
from litewf.store.diagnosis import Stuck
from litewf.store.holders import Holder, holders
from litewf.store.inspection import Inspection
from litewf.store.lockfile import Peer
from litewf.store.looking import EngineRow
from litewf.store.migrate import migrations
from litewf.store.readers import Reader

R = TypeVar("R")
Level = Literal["ok", "notice", "problem"]
LARGE_WAL = 128_000_000  # bytes; engines copy it back long before
LATE_US = 60_000_000  # how late something may be before it counts as stuck
RESTORE = "stop every program that uses the file; restore a backup, or save what can be read: sqlite3 FILE .recover"
REPORT = "a program changed the tables, or this is a bug of litewf: keep a copy of the file, and report it"
START = "start an engine whose program has it: litewf run MODULE:REGISTRY"


class Finding(NamedTuple):
    """One thing that was found."""

    level: Level
    check: str
    what: str
    advice: str | None = None
    workflow_ids: Sequence[str] = ()


class Patient:
    """The file that is examined."""

    def __init__(self, file: Inspection, now_us: int) -> None:
        self.file = file
        self.now_us = now_us
        self.version = file.version()
        self.engines: list[EngineRow] = []
        self.living: list[EngineRow] = []
        if self.version:
            self.engines = self.ask(looking.engines)
            self.living = [row for row in self.engines if self.peer(row) is Peer.ALIVE]

    def ask(self, question: Callable[[Reader], R]) -> R:
        return self.file.read(question)

    def peer(self, row: EngineRow) -> Peer:
        return lockfile.probe(self.file.path, row.lock_name)

    def is_known(self, name: str, version: str | None = None) -> bool:
        """Whether a living engine runs this workflow, in this version."""
        return any(
            name in json.loads(row.names)
            and (not row.only_version or version is None or version == row.application_version)
            for row in self.living
        )


Check = Callable[[Patient], Iterator[Finding]]


def examine(patient: Patient, check: Check) -> list[Finding]:
    """The findings of one check; that the file cannot be read is one."""
    findings: list[Finding] = []
    try:
        findings.extend(check(patient))
    except StoreError as error:
        findings.append(Finding("problem", name_of(check), str(error), RESTORE))
    return findings


def name_of(check: Check) -> str:
    return getattr(check, "__name__", "check").removeprefix("check_").replace("_", " ")


# --- the file -----------------------------------------------------------------------------------------------------


def check_file(patient: Patient) -> Iterator[Finding]:
    """Its size, its schema, its -wal."""
    sizes = diagnosis.sizes(patient.file.path)
    size, wal = output.size(sizes["file"]), output.size(sizes["wal"])
    yield Finding("ok", "file", f"{patient.file.path}: {size}, -wal {wal}, schema {patient.version}")
    if patient.version == 0:
        yield Finding("notice", "file", "it holds no workflows yet", "open it with an engine once")
    elif patient.version < len(migrations()):
        what = f"its schema is {patient.version}, this litewf's is {len(migrations())}"
        yield Finding("notice", "file", what, "nothing: the next engine or client brings it up to date")
    if sizes["wal"] > LARGE_WAL:
        readers = [holder for holder in holders(patient.file.path) or [] if holder.what == "reads"]
        who = f"; {_named(readers)} may keep it" if readers else ""
        advice = "end the query or transaction that reads for so long; else start and stop an engine, which copies it"
        yield Finding("problem", "file", f"the -wal has grown to {wal}{who}", advice)
    if (old := diagnosis.python_sqlite()) is not None:
        what = f"Python's own SQLite is {old}; before 3.51.3 it may damage a file in WAL mode when it writes"
        yield Finding("notice", "file", what, "use it, and other old tools, on copies only: litewf backup COPY")


def check_integrity(patient: Patient) -> Iterator[Finding]:
    """What SQLite says of its pages, indexes and references."""
    found = patient.ask(diagnosis.damage)
    for line in found:
        yield Finding("problem", "integrity", line, RESTORE)
    if not found:
        yield Finding("ok", "integrity", "SQLite finds no damage")


def check_invariants(patient: Patient) -> Iterator[Finding]:
    """What must hold between the rows, whatever happened."""
    queries = diagnosis.invariants(patient.version)
    broken = 0
    for what, query in queries.items():
        rows = patient.ask(lambda connection, query=query: diagnosis.violations(connection, query))  # type: ignore[misc]  # the lambda's default binds it now
        if rows:
            broken += 1
            yield Finding("problem", "invariants", f"{what}: {'; '.join(rows)}", REPORT)
    if not broken:
        what = f"{len(queries)} rules hold" if queries else "not checked: the schema is too old for them"
        yield Finding("ok", "invariants", what)


# --- who is there -------------------------------------------------------------------------------------------------


def check_engines(patient: Patient) -> Iterator[Finding]:
    """Which engines live, and what the dead have left."""
    for row in patient.living:
        yield Finding("ok", "engines", f"{row.label} (pid {row.pid}) runs, {row.owned} workflows in memory")
    dead = [row for row in patient.engines if row not in patient.living]
    for row in dead:
        what = f"{row.label} (pid {row.pid}) is dead; it had {row.owned} workflows in memory"
        advice = "nothing: the engines that run take them over" if patient.living else f"{START}; it takes them over"
        yield Finding("problem" if row.owned and not patient.living else "notice", "engines", what, advice)
    if not patient.engines:
        yield Finding("notice", "engines", "no engine runs on this file", "litewf run MODULE:REGISTRY")


def check_locks(patient: Patient) -> Iterator[Finding]:
    """Who holds which lock, and what dead processes have left behind."""
    found = holders(patient.file.path)
    if found is None:
        yield Finding("ok", "locks", "this system does not tell who holds them")
    elif lasting := [holder for holder in found if holder.what == "keeps all others out"]:
        yield Finding("problem", "locks", f"{_named(lasting)} keeps all others out", "end that program's transaction")
    else:
        busy = [f"{_named([holder])} {holder.what}" for holder in found if holder.what != "has it open"]
        users = len({holder.pid for holder in found})
        open_by = (
            f"processes that have it open: {users}, none of which works on it now" if users else "nobody has it open"
        )
        yield Finding("ok", "locks", "; ".join(busy) or open_by)
    names = {row.lock_name for row in patient.engines}
    stray = [name for name in lockfile.names_beside(patient.file.path) if name not in names]
    left = [name for name in stray if lockfile.probe(patient.file.path, name) is Peer.DEAD]
    if left:
        yield Finding("notice", "locks", f"{len(left)} lock files of dead processes", "nothing: engines remove them")


def _named(found: Sequence[Holder]) -> str:
    return ", ".join(f"{holder.program} (pid {holder.pid})" for holder in found)


# --- what is stuck ------------------------------------------------------------------------------------------------


def check_held(patient: Patient) -> Iterator[Finding]:
    """What no engine could go on with."""
    advice = (
        "run the code that fits, then: litewf resume; or go on from an earlier step: litewf fork; or: litewf cancel"
    )
    for group in patient.ask(diagnosis.held):
        yield _stuck("problem", "held", group, f"held: {group.detail}", advice)


def check_stranded(patient: Patient) -> Iterator[Finding]:
    """What is ready or waits on a queue, while no engine that lives knows it."""
    for group in patient.ask(diagnosis.ready):
        if not patient.is_known(group.name, group.detail):
            yield _stuck("problem", "stranded", group, "ready, but no engine that runs knows it", START)
    queues, _ = patient.ask(diagnosis.paused)
    for group in patient.ask(diagnosis.waiting):
        where = f"on queue {group.detail}"
        if group.detail in queues:
            advice = f"litewf queues resume {group.detail}"
            yield _stuck("notice", "stranded", group, f"{where}, which is paused", advice)
        elif not patient.is_known(group.name):
            yield _stuck("problem", "stranded", group, f"{where}, but no engine that runs knows it", START)


def check_overdue(patient: Patient) -> Iterator[Finding]:
    """What should have happened by now."""
    before_us = patient.now_us - LATE_US
    advice = "see what the engines log, and whether this machine's clock is right" if patient.living else START
    for group in patient.ask(lambda connection: diagnosis.overdue(connection, before_us)):
        yield _stuck("problem", "overdue", group, f"{group.detail}", advice)
    for name, workflow in patient.ask(lambda connection: diagnosis.late_schedules(connection, before_us)):
        what = f"schedule {name} of workflow {workflow} should have fired"
        yield Finding("notice", "overdue", what, advice if patient.is_known(workflow) else START)


def check_given_up(patient: Patient) -> Iterator[Finding]:
    """What killed its process too often."""
    advice = "find out what kills the process in that step, then: litewf resume"
    for group in patient.ask(diagnosis.given_up):
        yield _stuck("notice", "given up", group, "killed its process too often", advice)


def check_paused(patient: Patient) -> Iterator[Finding]:
    """What somebody has paused."""
    queues, schedules = patient.ask(diagnosis.paused)
    for what, names in (("queues", queues), ("schedules", schedules)):
        for name in names:
            yield Finding("notice", "paused", f"{what[:-1]} {name}", f"litewf {what} resume {name}")


def _stuck(level: Level, check: str, group: Stuck, what: str, advice: str) -> Finding:
    examples = ", ".join(group.ids) + (", ..." if group.total > len(group.ids) else "")
    return Finding(level, check, f"{group.total} of {group.name} {what} ({examples})", advice, group.ids)


ALWAYS_READABLE: tuple[Check, ...] = (check_file,)
SLOW: tuple[Check, ...] = (check_integrity, check_invariants)
QUICK: tuple[Check, ...] = (
    check_engines, check_locks, check_held, check_stranded, check_overdue, check_given_up, check_paused,
)  # fmt: skip
