"""What must hold in the file after every crash, as SQL, and from one crash to the next.

Each query names what it forbids: it must return no rows. The letters and numbers are those of the project's list of
invariants: A storage, B workflows and steps, C cancellation, D children, E waiting, G queues, H time.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw

ALWAYS = {
    "A2 an unfinished workflow with an outcome, or a finished one without": """
        SELECT w.id, w.status FROM workflow AS w LEFT JOIN outcome AS o ON o.workflow = w.key
        WHERE (w.completed_us IS NULL) <> (o.workflow IS NULL)""",
    "A2 a status that contradicts the times and the outcome": """
        SELECT w.id, w.status FROM workflow AS w LEFT JOIN outcome AS o ON o.workflow = w.key
        WHERE (w.status IN ('SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'))
                  <> (w.completed_us IS NOT NULL)
           OR (w.status = 'SUCCESS' AND o.error IS NOT NULL)
           OR (w.status IN ('ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED') AND o.error IS NULL)""",
    "A2 a workflow without its request": """
        SELECT id FROM workflow LEFT JOIN request ON request.workflow = workflow.key WHERE request.workflow IS NULL""",
    "A2 an owner that no executor row names": """
        SELECT id, owner FROM workflow WHERE owner IS NOT NULL AND owner NOT IN (SELECT key FROM executor)""",
    "A2 a phase that contradicts its owner": """
        SELECT id, phase, owner FROM workflow
        WHERE (phase IN ('running', 'stopping') AND owner IS NULL)
           OR (phase IN ('ready', 'parked', 'held') AND owner IS NOT NULL)
           OR (status IN ('SUCCESS', 'ERROR') AND owner IS NOT NULL)""",
    "A2 a wait of a workflow that is not parked": """
        SELECT id, phase, status, wait.step FROM wait JOIN workflow ON workflow.key = wait.workflow
        WHERE coalesce(phase, '') NOT IN ('parked', 'ready')""",
    "E5 a parked workflow that waits for nothing, or until another time than its waits": """
        SELECT id, due_us FROM workflow AS w WHERE phase = 'parked' AND (
            NOT EXISTS (SELECT 1 FROM wait WHERE wait.workflow = w.key)
            OR due_us IS NOT (SELECT min(wait.due_us) FROM wait WHERE wait.workflow = w.key))""",
    "E5 a parked workflow that waits for one that has ended": """
        SELECT w.id, wait.waits FROM workflow AS w JOIN wait ON wait.workflow = w.key
        LEFT JOIN workflow AS awaited ON 'workflow:' || awaited.id = wait.waits
        WHERE w.phase = 'parked' AND wait.waits GLOB 'workflow:*'
          AND (awaited.key IS NULL OR awaited.completed_us IS NOT NULL)""",
    "H4 a due time of something that is not parked": """
        SELECT id, phase, due_us FROM workflow WHERE due_us IS NOT NULL AND phase IS NOT 'parked'""",
    "B6 a settled step with a due time, without an attempt, or before its start": """
        SELECT workflow, step FROM record
        WHERE completed_us IS NOT NULL AND (due_us IS NOT NULL OR attempts < 1 OR completed_us < started_us)""",
    "B6 an unsettled step that promises nothing": """
        SELECT workflow, step, name FROM step
        WHERE completed_us IS NULL AND due_us IS NULL AND attempts = 0 AND output IS NULL""",
    "C4 a finished workflow that still waits for a time": """
        SELECT id FROM workflow WHERE completed_us IS NOT NULL AND due_us IS NOT NULL""",
    "D1 two steps that started the same child": """
        SELECT child, count(*) FROM step JOIN request USING (workflow)
        WHERE child IS NOT NULL AND error IS NULL AND forked_from IS NULL GROUP BY child HAVING count(*) > 1""",
    "D2 a child whose start no step of its parent records": """
        SELECT child.id FROM workflow AS child JOIN workflow AS parent ON parent.key = child.parent
        WHERE parent.generation = 1 AND NOT EXISTS (
            SELECT 1 FROM step WHERE step.workflow = parent.key AND step.completed_us IS NOT NULL
               AND step.name LIKE 'litewf.start%'
               AND (step.child = child.id OR instr(step.output, '"' || child.id || '"')))""",
    "D2 a recorded start without its child": """
        SELECT step.child FROM step JOIN request USING (workflow)
        WHERE child IS NOT NULL AND error IS NULL AND forked_from IS NULL AND NOT EXISTS
            (SELECT 1 FROM workflow WHERE workflow.id = step.child AND workflow.parent = step.workflow)""",
    "D4 an unfinished child of a cancelled parent": """
        SELECT child.id FROM workflow AS child JOIN workflow AS parent ON parent.key = child.parent
        WHERE parent.status = 'CANCELLED' AND child.completed_us IS NULL AND NOT child.detached""",
    "A2 a place on a queue that contradicts the status": """
        SELECT id, status, phase, workflow.queue, state FROM task JOIN workflow ON workflow.key = task.workflow
        WHERE (status = 'DELAYED') <> (state = 'delayed') OR (status = 'ENQUEUED') <> (state IN ('waiting', 'behind'))
           OR (completed_us IS NOT NULL AND state <> 'ended')
           OR (completed_us IS NULL AND (workflow.queue IS NULL) <> (state = 'ended'))
           OR (state = 'held' AND phase IS NOT 'held') OR workflow.queue <> task.queue""",
    "A2 a workflow on a queue without a place there": """
        SELECT id FROM workflow WHERE queue IS NOT NULL AND NOT EXISTS (SELECT 1 FROM task WHERE workflow = key)""",
    "G1 a workflow that runs without a slot of its queue": """
        SELECT id FROM task JOIN workflow ON workflow.key = task.workflow
        WHERE phase = 'running' AND workflow.queue IS NOT NULL AND slot = 0""",
    "G1 more slots than a queue has": """
        SELECT queue.name, count(*) FROM queue JOIN task ON task.queue = queue.name WHERE slot = 1
        GROUP BY queue.name HAVING count(*) > global_concurrency""",
    "G1 more slots than a partition has": """
        SELECT queue.name, partition, count(*) FROM queue JOIN task ON task.queue = queue.name
        WHERE slot = 1 AND partition IS NOT NULL
        GROUP BY queue.name, partition HAVING count(*) > partition_concurrency""",
    "G2 a slot of a workflow that has ended, of which nothing runs": """
        SELECT id, status, state FROM task JOIN workflow ON workflow.key = task.workflow
        WHERE slot = 1 AND owner IS NULL AND (state <> 'started' OR completed_us IS NOT NULL)""",
    "G10 somebody behind, although the partition has room": """
        SELECT queue.name, t.partition FROM task AS t JOIN queue ON queue.name = t.queue WHERE t.state = 'behind'
           AND (SELECT count(*) FROM task WHERE queue = t.queue AND partition = t.partition
                AND (slot = 1 OR state = 'waiting')) < partition_concurrency""",
    "G10 somebody behind in a partition without a limit": """
        SELECT workflow FROM task AS t WHERE state = 'behind' AND NOT EXISTS
            (SELECT 1 FROM queue WHERE queue.name = t.queue AND partition_concurrency IS NOT NULL)""",
    "H5 times that run backwards": """
        SELECT id, created_us, started_us, updated_us, completed_us FROM workflow
        WHERE updated_us < created_us OR started_us < created_us OR completed_us < started_us""",
}

TALKING = {
    "E2 a message that no recv has recorded": """
        SELECT workflow, taken_by FROM message WHERE taken_by IS NOT NULL AND taken_by <> '0' AND NOT EXISTS (
            SELECT 1 FROM step WHERE step.workflow = message.workflow AND step.step = message.taken_by
               AND step.name = 'litewf.recv' AND step.completed_us IS NOT NULL
               AND (step.output IS NOT NULL OR step.error IS NOT NULL))""",
    "E2 a step that received two messages": """
        SELECT workflow, taken_by FROM message WHERE taken_by <> '0' GROUP BY workflow, taken_by HAVING count(*) > 1""",
    "E2 a recv that recorded a message that is not taken": """
        SELECT step.workflow, step FROM step JOIN request ON request.workflow = step.workflow
        WHERE name = 'litewf.recv' AND output IS NOT NULL AND forked_from IS NULL AND NOT EXISTS (
            SELECT 1 FROM message WHERE message.workflow = step.workflow AND message.taken_by = step.step)""",
    "E3 a message received before an older one of its topic": """
        SELECT old.workflow, old.key, new.key FROM message AS old JOIN message AS new
            ON new.workflow = old.workflow AND new.topic IS old.topic AND new.key > old.key
        WHERE old.taken_by IS NULL AND new.taken_by IS NOT NULL""",
    "E5 a parked workflow that waits for a message that is there": """
        SELECT w.id, wait.waits FROM workflow AS w JOIN wait ON wait.workflow = w.key JOIN message AS m
            ON m.workflow = w.key AND m.taken_by IS NULL
            AND wait.waits = 'message:' || w.id || coalesce(char(10) || m.topic, '')
        WHERE w.phase = 'parked'""",
    "E5 a parked workflow that waits for an event that is set": """
        SELECT w.id, wait.waits FROM workflow AS w JOIN wait ON wait.workflow = w.key
        JOIN workflow AS shower JOIN event ON event.workflow = shower.key
            AND wait.waits = 'event:' || shower.id || char(10) || event.name
        WHERE w.phase = 'parked'""",
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


class Image:
    """The file as it is now, read from a copy so that recovery is left to the engine."""

    def __init__(self, path: Path) -> None:
        copy = path.with_name("image.db")
        for suffix in ("", "-wal"):
            source = path.with_name(path.name + suffix)
            target = copy.with_name(copy.name + suffix)
            target.unlink(missing_ok=True)
            if source.exists():
                shutil.copyfile(source, target)
        copy.with_name(copy.name + "-shm").unlink(missing_ok=True)
        self._connection = apsw.Connection(str(copy))
        self.empty = not self.rows("SELECT 1 FROM sqlite_schema WHERE name = 'task'")  # the last of the schema
        self.generations: dict[str, int] = {}
        self.workflows: dict[str, tuple[Any, ...]] = {}
        self.settled: dict[str, tuple[Any, ...]] = {}
        self.promised: dict[str, tuple[Any, ...]] = {}
        self.talks = bool(self.rows("SELECT 1 FROM sqlite_schema WHERE name = 'message'"))
        self.sent: set[str] = set()  # messages that have an idempotency key
        if not self.empty and not self.talks:  # it died before the second migration
            self._connection.execute("CREATE TEMP VIEW record AS SELECT * FROM step")
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
        if self.talks:
            keyed = "SELECT id, idempotency_key FROM message JOIN workflow ON workflow.key = message.workflow"
            self.sent = {f"{workflow_id} {key}" for workflow_id, key in self.rows(keyed)}
        steps = self.rows(
            "SELECT workflow.id, generation, step, step.name, step.output, step.error, attempts, step.due_us,"
            " step.started_us, step.completed_us FROM record AS step JOIN workflow ON workflow.key = step.workflow"
        )
        for workflow_id, generation, number, *rest in steps:
            suffix = f"@{generation}" if generation > 1 else ""
            (self.settled if rest[-1] is not None else self.promised)[f"{workflow_id}{suffix}:{number}"] = tuple(rest)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return list(self._connection.execute(sql))

    def settles(self, key: str) -> bool:
        """Whether a step is recorded, or was in a generation that is over."""
        label = key.rpartition(":")[0]
        workflow_id, _, generation = label.rpartition("@")
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
        checks = {**ALWAYS, **(TALKING if self.talks else {}), **(AT_THE_END if at_the_end else {})}
        for what, sql in checks.items():
            if found := self.rows(sql):
                yield f"{what}: {found}"

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
