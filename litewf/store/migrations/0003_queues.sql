-- Queues: workflows that wait for their turn.
--
-- queue    the limits of a queue; a queue without a row has none, and is served by engines that serve all
-- task     a workflow on a queue, from its enqueue on; state says where it stands:
--   delayed   not before due_us
--   behind    its partition has as many waiting and running as it may
--   waiting   may be started, in the order of priority (0: none given), then of its key
--   started   was started; `slot` tells whether it holds one of the queue and of its partition now
--   held      its turn has come, but no engine can run it; back in its place once one can
--   ended     has ended, was cancelled, or was resumed, which takes a workflow off its queue
-- started  when a queue with a rate limit started its last workflows, by number, as far back as the limit asks
--
-- name and version are those of the workflow ('': any version), so that an engine finds what it can run without passing
-- what it cannot, however much of that waits in front.
--
-- workflow.queue names the queue through which a workflow is claimed; NULL once it has left it. Slots are counted from
-- rows, and triggers keep them: whatever ends or holds a workflow frees its slot in the same statement. A workflow whose
-- body still runs holds its slot until the body has ended, also when it was cancelled, resumed or rewound meanwhile.

ALTER TABLE workflow ADD COLUMN queue TEXT;

CREATE TABLE queue (
    name                    TEXT PRIMARY KEY,
    worker_concurrency      INTEGER,
    global_concurrency      INTEGER,
    partition_concurrency   INTEGER,
    rate_limit              INTEGER,
    rate_period_us          INTEGER,
    priority_enabled        INTEGER NOT NULL DEFAULT 0,
    max_tasks_per_iteration INTEGER,
    paused                  INTEGER NOT NULL DEFAULT 0,
    starts                  INTEGER NOT NULL DEFAULT 0,   -- how many the rate limit has counted
    shortest_us             INTEGER,                      -- the shortest period since the first of them
    updated_us              INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE task (
    workflow         INTEGER PRIMARY KEY REFERENCES workflow (key) ON DELETE CASCADE,
    queue            TEXT NOT NULL,
    name             TEXT NOT NULL,
    version          TEXT NOT NULL,
    priority         INTEGER NOT NULL DEFAULT 0,
    partition        TEXT,
    deduplication_id TEXT,
    state            TEXT NOT NULL CHECK (state = 'waiting' OR state = 'started' OR state = 'ended' OR state = 'delayed'
                                            OR state = 'behind' OR state = 'held'),
    slot             INTEGER NOT NULL DEFAULT 0,
    due_us           INTEGER,
    latest_us        INTEGER                      -- a debounced task is put off no longer than this
) STRICT;

CREATE INDEX task_waiting ON task (queue, name, version, priority, workflow) WHERE state = 'waiting';
CREATE INDEX task_behind  ON task (queue, partition, priority, workflow) WHERE state = 'behind';
CREATE INDEX task_part    ON task (queue, partition, priority, workflow) WHERE state = 'waiting' AND partition IS NOT NULL;
CREATE INDEX task_delayed ON task (due_us) WHERE state = 'delayed';
CREATE INDEX task_slot    ON task (queue, partition) WHERE slot = 1;
CREATE UNIQUE INDEX task_once ON task (queue, deduplication_id) WHERE deduplication_id IS NOT NULL AND state <> 'ended';
CREATE INDEX workflow_woken ON workflow (queue, key) WHERE phase = 'ready' AND queue IS NOT NULL;

CREATE TABLE started (
    queue      TEXT NOT NULL,
    number     INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    PRIMARY KEY (queue, number)
) STRICT, WITHOUT ROWID;

-- A body that still runs when its workflow is cancelled keeps the slot until its engine lets go.
CREATE TRIGGER task_ends AFTER UPDATE OF completed_us, owner ON workflow
WHEN NEW.queue IS NOT NULL AND NEW.completed_us IS NOT NULL
BEGIN
    UPDATE task SET state = 'ended', slot = iif(NEW.owner IS NULL, 0, slot) WHERE workflow = NEW.key;
END;

-- A workflow that was resumed or rewound has left its queue, but the body of its former execution has yet to end.
CREATE TRIGGER task_is_left AFTER UPDATE OF owner ON workflow
WHEN NEW.queue IS NULL AND OLD.owner IS NOT NULL AND NEW.owner IS NULL AND OLD.phase IS NOT 'running'
BEGIN
    UPDATE task SET slot = 0 WHERE workflow = NEW.key;
END;

CREATE TRIGGER task_is_held AFTER UPDATE OF phase ON workflow
WHEN NEW.queue IS NOT NULL AND NEW.phase = 'held'
BEGIN
    UPDATE task SET slot = 0 WHERE workflow = NEW.key;
END;

-- A place in a partition is free: the next one may come forward.
CREATE TRIGGER task_comes_forward AFTER UPDATE OF state, slot ON task
WHEN OLD.partition IS NOT NULL AND (OLD.slot > NEW.slot OR (OLD.state = 'waiting' AND NEW.state IN ('held', 'ended')))
BEGIN
    UPDATE task SET state = 'waiting' WHERE workflow =
        (SELECT workflow FROM task WHERE queue = NEW.queue AND partition = NEW.partition AND state = 'behind'
         ORDER BY priority, workflow LIMIT 1)
      AND (SELECT count(*) FROM task WHERE queue = NEW.queue AND partition = NEW.partition AND slot = 1)
        + (SELECT count(*) FROM task WHERE queue = NEW.queue AND partition = NEW.partition AND state = 'waiting')
        < coalesce((SELECT partition_concurrency FROM queue WHERE name = NEW.queue), 1 << 62);
END;
