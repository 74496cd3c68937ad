"""What must hold in the file after every crash, and from one crash to the next.

What must hold at any time is SQL that the store brings (litewf/store/invariants.py); here is what must hold when all has
ended, in the same form and with the same letters, and what two images of the file say together.
"""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from litewf.store.invariants import ALWAYS, TALKING

# A child may be resumed alone or deleted, and a limit may be lowered below what runs: so these hold only where nobody
# does that.
UNSTEERED = {
    "D2 a recorded start without its child": """
        SELECT step.child FROM step JOIN request USING (workflow)
        WHERE child IS NOT NULL AND error IS NULL AND forked_from IS NULL AND NOT EXISTS
            (SELECT 1 FROM workflow WHERE workflow.id = step.child AND workflow.parent = step.workflow)""",
    "D4 an unfinished child of a cancelled parent": """
        SELECT child.id FROM workflow AS child JOIN workflow AS parent ON parent.key = child.parent
        WHERE parent.status = 'CANCELLED' AND child.completed_us IS NULL AND NOT child.detached""",
    "G1 more slots than a queue has": """
        SELECT queue.name, count(*) FROM queue JOIN task ON task.queue = queue.name WHERE slot = 1
        GROUP BY queue.name HAVING count(*) > global_concurrency""",
    "G1 more slots than a partition has": """
        SELECT queue.name, partition, count(*) FROM queue JOIN task ON task.queue = queue.name
        WHERE slot = 1 AND partition IS NOT NULL
        GROUP BY queue.name, partition HAVING count(*) > partition_concurrency""",
}

AT_THE_END = {
    "B9 a workflow that never ended": "SELECT id, status, phase, held FROM workflow WHERE completed_us IS NULL",
    "B9 a workflow that was given up": "SELECT id FROM workflow WHERE status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'",
    "A3 an engine that is gone but still listed": "SELECT key, label FROM executor",
    "A3 an owner although no engine runs": "SELECT id, owner FROM workflow WHERE owner IS NOT NULL",
    "G2 a slot although all has ended": "SELECT workflow, state FROM task WHERE slot = 1 OR state <> 'ended'",
    "C4 a wait although all has ended": "SELECT workflow, step FROM wait",
    "B6 a gap in the numbers of a finished workflow": """
        WITH number (workflow, n) AS (SELECT DISTINCT workflow, CAST(step AS INTEGER) FROM record
                                      WHERE step NOT LIKE '%:%')
        SELECT id, max(n), count(*) FROM number JOIN workflow ON workflow.key = number.workflow
        WHERE status IN ('SUCCESS', 'ERROR') GROUP BY id HAVING max(n) <> count(*)""",
}


@cache
def _all_at_once(checks: tuple[str, ...]) -> str:
    """Which of these queries find anything, as one statement: to run it takes half the time of running them all."""
    return "SELECT " + ", ".join(f"EXISTS ({sql})" for sql in checks)


class Image:
    """The file as it is now, read from a copy so that recovery is left to the engine."""

    @classmethod
    def of(cls, path: Path) -> "Image":
        copy = path.with_name("image.db")
        for suffix in ("", "-wal"):
            source = path.with_name(path.name + suffix)
            target = copy.with_name(copy.name + suffix)
            target.unlink(missing_ok=True)
            if source.exists():
                shutil.copyfile(source, target)
        copy.with_name(copy.name + "-shm").unlink(missing_ok=True)
        return cls(apsw.Connection(str(copy)))

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.empty = not self.rows("SELECT 1 FROM sqlite_schema WHERE name = 'task'")  # the last of the schema
        self.generations: dict[str, int] = {}
        self.workflows: dict[str, tuple[Any, ...]] = {}
        self.settled: dict[str, tuple[Any, ...]] = {}
        self.promised: dict[str, tuple[Any, ...]] = {}
        self.sent: set[str] = set()  # messages that have an idempotency key
        if not self.empty:
            self._read()

    def _read(self) -> None:
        self.workflows = {
            row[0]: row[1:]
            for row in self.rows(
                "SELECT id, status, generation, fence, deadline_us, completed_us, output, error, created_us"
                " FROM workflow LEFT JOIN outcome ON outcome.workflow = workflow.key"
            )
        }
        self.generations = {workflow_id: row[1] for workflow_id, row in self.workflows.items()}
        keyed = "SELECT id, idempotency_key FROM message JOIN workflow ON workflow.key = message.workflow"
        self.sent = {f"{workflow_id} {key}" for workflow_id, key in self.rows(keyed)}
        steps = self.rows(
            "SELECT workflow.id, generation, step, step.name, step.output, step.error, attempts, step.due_us,"
            " step.started_us, step.completed_us FROM record AS step JOIN workflow ON workflow.key = step.workflow"
        )
        for workflow_id, generation, number, *rest in steps:
            suffix = f"~@{generation}" if generation > 1 else ""
            (self.settled if rest[-1] is not None else self.promised)[f"{workflow_id}{suffix}:{number}"] = tuple(rest)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(sql))

    def settles(self, key: str) -> bool:
        """Whether a step is recorded, or was in a generation that is over."""
        label = key.rpartition(":")[0]
        workflow_id, _, generation = label.rpartition("~@")
        if not generation.isdecimal():  # the id of a tick has a time there
            workflow_id, generation = label, "1"
        return key in self.settled or self.generations.get(workflow_id, 1) > int(generation)

    def next_attempts(self) -> dict[str, int]:
        """When steps that have failed so far may be tried again."""
        return {key: row[4] for key, row in self.promised.items() if row[3] and row[4] is not None}

    def close(self) -> None:
        self._connection.close()

    # --- checks -----------------------------------------------------------------------------------------------

    def broken(self, *, at_the_end: bool) -> Iterator[str]:
        """Everything that one image alone shows to be wrong."""
        for pragma in ("integrity_check", "foreign_key_check"):
            found = self.rows(f"PRAGMA {pragma}")
            if found not in ([], [("ok",)]):
                yield f"A3 {pragma}: {found}"
        if self.empty:
            return
        checks = {**ALWAYS, **UNSTEERED, **TALKING, **(AT_THE_END if at_the_end else {})}
        (found,) = self.rows(_all_at_once(tuple(checks.values())))
        for (what, sql), is_broken in zip(checks.items(), found, strict=True):
            if is_broken:
                yield f"{what}: {self.rows(sql)}"

    def contradicts(self, earlier: "Image", resumable: frozenset[str]) -> Iterator[str]:
        """Everything that was true in an earlier image and must have stayed so."""
        for workflow_id, (status, generation, fence, deadline_us, completed_us, *outcome) in earlier.workflows.items():
            now = self.workflows.get(workflow_id)
            if now is None:
                yield f"A1 workflow {workflow_id} is gone"
            elif now[1] < generation or now[2] < fence:
                yield f"B4 {workflow_id} went back to generation {now[1]}, fence {now[2]}"
            elif workflow_id not in resumable:
                if now[3] != deadline_us:
                    yield f"C3 the deadline of {workflow_id} moved from {deadline_us} to {now[3]}"
                if completed_us is not None and (now[0], now[4], *now[5:]) != (status, completed_us, *outcome):
                    yield f"B8 {workflow_id} ended as {status} {outcome} and is now {now}"
        for key, row in earlier.settled.items():
            if self.settled.get(key, row if self.settles(key) else None) != row:
                yield f"A1 the record of {key} was {row} and is now {self.settled.get(key)}"
        yield from self._broken_promises(earlier)

    def _broken_promises(self, earlier: "Image") -> Iterator[str]:
        for key, (name, _, _, attempts, due_us, started_us, _) in earlier.promised.items():
            row = self.promised.get(key)
            if row is None:
                if not self.settles(key):
                    yield f"H4 the promise {key} ({name}) is gone"
            elif row[3] < attempts or row[5] != started_us:
                yield f"B5 {key} ({name}) went back from {attempts} attempts to {row[3]}"
            elif row[3] == attempts and row[4] != due_us and row[1] is None:
                yield f"H4 {key} ({name}) was due at {due_us} and is now at {row[4]}"
