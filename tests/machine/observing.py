"""What can be seen of a file from outside, as the model says it: read by a connection of its own, beside the engines."""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from litewf.store.invariants import ALWAYS, TALKING
from tests.machine.model import World

Seen = dict[str, dict[str, Any]]  # of each workflow
SeenSchedules = dict[str, tuple[bool, int, int | None]]
WORKFLOWS = """
    SELECT key, id, status, generation, output, slot = 1 FROM workflow LEFT JOIN outcome ON outcome.workflow = key
    LEFT JOIN task ON task.workflow = key
"""
UNREAD = "SELECT workflow, topic, value FROM message WHERE taken_by IS NULL ORDER BY key"
EVENTS = "SELECT workflow, name, value FROM event ORDER BY key"
STREAMS = "SELECT workflow, name, value FROM stream ORDER BY workflow, name, offset"
SCHEDULES = "SELECT name, paused, next_us, last_us FROM schedule"


def state(path: Path, running: Collection[str]) -> tuple[Seen, SeenSchedules]:
    """Everything, when all engines are at rest; what no file may show raises."""
    with _reading(path) as connection:
        _check(connection)
        rows = connection.execute(SCHEDULES)
        schedules = {name: (bool(paused), next_us, last_us) for name, paused, next_us, last_us in rows}
        return _workflows(connection, running), schedules


def check(path: Path) -> None:
    """Right after a death, before anybody recovers anything."""
    with _reading(path) as connection:
        if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'schedule'").fetchone():
            _check(connection)


@contextmanager
def _reading(path: Path) -> Iterator[apsw.Connection]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        yield connection
    finally:
        connection.close()


def _check(connection: apsw.Connection) -> None:
    for what, sql in {**ALWAYS, **TALKING}.items():
        rows = connection.execute(sql).fetchall()
        assert not rows, f"{what}: {rows}"


def _workflows(connection: apsw.Connection, running: Collection[str]) -> Seen:
    found: Seen = {}
    by_key: dict[int, dict[str, Any]] = {}
    for key, flow_id, status, generation, output, slot in connection.execute(WORKFLOWS):
        found[flow_id] = by_key[key] = {
            "status": status, "generation": generation,
            "result": json.loads(output) if output is not None and status == "SUCCESS" else None,
            "unread": [], "events": {}, "streams": {}, "slot": bool(slot), "running": flow_id in running, "tally": 0,
        }  # fmt: skip
    for key, topic, value in connection.execute(UNREAD):
        by_key[key]["unread"].append((topic, json.loads(value)))
    for key, name, value in connection.execute(EVENTS):
        by_key[key]["events"][name] = json.loads(value)
    for key, name, value in connection.execute(STREAMS):
        by_key[key]["streams"].setdefault(name, []).append(None if value is None else json.loads(value))
    for flow_id, count in connection.execute("SELECT id, n FROM tally"):
        found[flow_id]["tally"] = count
    return found


def differences(seen: Seen, schedules: SeenSchedules, worlds: list[World]) -> str:
    """What the worlds that are possible say, and what is there."""
    lines = []
    for number, world in enumerate(worlds, 1):
        label, expected = f"world {number} of {len(worlds)}", world.seen()
        for flow_id in sorted({*seen, *expected}):
            here, there = seen.get(flow_id), expected.get(flow_id)
            if here is None or there is None:
                lines.append(f"{label}: {flow_id} should be {there}, it is {here}")
            elif changed := [key for key in here if here[key] != there[key]]:
                wanted, found = ({key: one[key] for key in changed} for one in (there, here))
                lines.append(f"{label}: {flow_id} should be {wanted}, it is {found}")
        if schedules != world.seen_schedules():
            lines.append(f"{label}: schedules should be {world.seen_schedules()}, they are {schedules}")
    return "\n".join(lines)
