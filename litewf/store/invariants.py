"""What must hold in a file at any time, as SQL: for `litewf doctor`, and for the tests that kill engines.

Each query names what it forbids: it must return no rows. The letters and numbers are those of the project's list of
invariants: A storage, B workflows and steps, C cancellation, D children, E waiting, G queues, H time. Every query walks
a table once, or follows indexes; none compares all rows with all others.
"""

from __future__ import annotations

from typing import Final

ALWAYS: Final[dict[str, str]] = {
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
        LEFT JOIN workflow AS awaited ON awaited.id = substr(wait.waits, 10)
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
        JOIN workflow AS made ON made.id = step.child AND made.parent = step.workflow
        WHERE child IS NOT NULL AND error IS NULL AND forked_from IS NULL GROUP BY child HAVING count(*) > 1""",
    "D2 a child whose start no step of its parent records": """
        SELECT child.id FROM workflow AS child JOIN workflow AS parent ON parent.key = child.parent
        WHERE parent.generation = 1 AND NOT EXISTS (
            SELECT 1 FROM step WHERE step.workflow = parent.key AND step.completed_us IS NOT NULL
               AND (step.child = child.id
                    OR (step.name = 'litewf.start_workflows'
                        AND (instr(step.output, json_quote(child.id)) OR NOT json_valid(step.output)))))""",
    "D2 a recorded start without its child": """
        SELECT step.child FROM step JOIN request USING (workflow) JOIN workflow AS parent ON parent.key = step.workflow
        WHERE child IS NOT NULL AND error IS NULL AND forked_from IS NULL
          AND parent.completed_us IS NULL  -- once it has ended, its children may be pruned
          AND NOT EXISTS
            (SELECT 1 FROM workflow WHERE workflow.id = step.child AND workflow.parent = step.workflow)""",
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

TALKING: Final[dict[str, str]] = {  # of the tables of the second migration
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
        JOIN workflow AS shower ON shower.id = substr(wait.waits, 7, instr(wait.waits, char(10)) - 7)
        JOIN event ON event.workflow = shower.key AND event.name = substr(wait.waits, instr(wait.waits, char(10)) + 1)
        WHERE w.phase = 'parked' AND wait.waits GLOB 'event:*'""",
}
