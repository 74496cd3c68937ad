"""`litewf versions`: which engines run which code, and which unfinished workflows need which."""

from __future__ import annotations

import json

from litewf.cli import documents, output
from litewf.cli.files import looked_at
from litewf.cli.options import DEFAULT_DB, Db, Json
from litewf.store import lockfile, looking
from litewf.store.inspection import Inspection
from litewf.store.lockfile import Peer

HEADINGS = ("VERSION", "UNFINISHED", "HELD", "ENGINES")
ENGINE_HEADINGS = ("ENGINE", "PID", "STATE", "VERSION", "RUNS", "IN MEMORY", "SINCE")


def versions(*, db: Db = DEFAULT_DB, json_: Json = False) -> None:
    """List the versions that unfinished workflows are of, and the engines that run, with theirs.

    An engine that runs all versions takes up what its code fits; one that runs only its own leaves the others held.
    """
    with looked_at(db) as file:
        counts, engines = file.read(lambda connection: (looking.versions(connection), looking.engines(connection)))
        known = [_engine(file, row) for row in engines]
    rows = [_version(count, known) for count in counts]
    if json_:
        output.print_json({"versions": rows, "engines": known})
        return
    table = [(count.version, count.unfinished, count.held, ", ".join(_engines_for(count, known))) for count in counts]
    output.print_table(HEADINGS, table, "no workflow is unfinished")
    if known:
        output.print_gap()
        output.print_table(ENGINE_HEADINGS, [_row(engine) for engine in known])


def _version(count: looking.VersionCount, engines: list[dict[str, object]]) -> dict[str, object]:
    fit = _engines_for(count, engines)
    return {"version": count.version, "unfinished": count.unfinished, "held": count.held, "engines": fit}


def _engines_for(count: looking.VersionCount, engines: list[dict[str, object]]) -> list[str]:
    """Which living engines may run this version."""
    return [
        str(engine["executor_id"])
        for engine in engines
        if engine["state"] == "alive"
        and (not engine["only_version"] or count.version in (None, engine["application_version"]))
    ]


def _engine(file: Inspection, row: looking.EngineRow) -> dict[str, object]:
    return {
        "executor_id": row.label,
        "pid": row.pid,
        "state": state_of(file, row),
        "application_version": row.application_version,
        "only_version": bool(row.only_version),
        "workflows": json.loads(row.names),
        "in_memory": row.owned,
        "started_at": documents.iso(row.started_us),
    }


def state_of(file: Inspection, row: looking.EngineRow) -> str:
    """Whether the process of an engine lives, by its lock."""
    return {Peer.ALIVE: "alive", Peer.DEAD: "dead", Peer.MISSING: "lock gone"}[lockfile.probe(file.path, row.lock_name)]


def _row(engine: dict[str, object]) -> tuple[object, ...]:
    runs = "only its own version" if engine["only_version"] else "all versions that fit"
    started = str(engine["started_at"])
    return (
        engine["executor_id"], engine["pid"], engine["state"], engine["application_version"], runs, engine["in_memory"],
        output.local_iso(started),
    )  # fmt: skip
