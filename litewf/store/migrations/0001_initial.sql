-- How litewf keeps workflows in one file.
--
-- A workflow is one narrow row in `workflow`; what its caller asked for is in `request`, what came of
-- it in `outcome`. Every durable call that it made is one row in `step`, numbered in the order of the
-- calls. An engine process is one row in `executor`, alive as long as the lock file that it names is
-- locked. Nothing else is needed to go on after a crash.
--
-- status is what users see. phase says where an unfinished (PENDING) workflow stands:
--   ready     may be claimed by any engine that has its code
--   running   belongs to `owner`
--   parked    left memory; made ready when `due_us` passes or when what a row in `wait` names has come
--   stopping  resumed while its former owner still runs a step body; ready once that owner lets go
--   held      no engine that tried could go on; `held` says why, `held_versions` who tried
--
-- owner    the executor with code of this workflow in memory. It is NULL for everything that no process
--          holds, and outlives a cancel until the body that was running has ended.
-- fence    goes up each time the workflow is claimed or taken away. Every write of an execution names the
--          fence that it was given, so one that lost the workflow writes nothing.
--
-- Times are microseconds since 1970 in UTC and come from the engine's clock, never from SQL.
-- Each index answers one question and covers unfinished work only, so finished history costs nothing.
-- What a column may hold is a list of comparisons, the frequent ones first: for an IN of more than two
-- SQLite looks into a temporary table, which took a third of each insert and update of a workflow.

CREATE TABLE store (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    store_id   TEXT NOT NULL,
    created_us INTEGER NOT NULL
) STRICT;

CREATE TABLE executor (
    key                 INTEGER PRIMARY KEY AUTOINCREMENT,
    label               TEXT NOT NULL,            -- what the user calls it
    lock_name           TEXT NOT NULL UNIQUE,     -- its lock file, beside the database
    pid                 INTEGER NOT NULL,         -- for messages only, never for decisions
    application_version TEXT NOT NULL,
    only_version        INTEGER NOT NULL,         -- whether it runs no other version than its own
    names               TEXT NOT NULL,            -- a JSON list of the workflows that it has the code of
    started_us          INTEGER NOT NULL
) STRICT;

CREATE TABLE workflow (
    key                 INTEGER PRIMARY KEY AUTOINCREMENT,
    id                  TEXT NOT NULL UNIQUE,
    name                TEXT NOT NULL,
    status              TEXT NOT NULL CHECK (status = 'PENDING' OR status = 'SUCCESS' OR status = 'ENQUEUED'
                                             OR status = 'ERROR' OR status = 'CANCELLED' OR status = 'DELAYED'
                                             OR status = 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'),
    phase               TEXT CHECK (phase IS NULL OR phase = 'running' OR phase = 'parked' OR phase = 'ready'
                                    OR phase = 'stopping' OR phase = 'held'),
    fence               INTEGER NOT NULL DEFAULT 0,
    owner               INTEGER,
    due_us              INTEGER,                  -- when a parked workflow goes on, whatever else happens
    deadline_us         INTEGER,                  -- when it is cancelled
    generation          INTEGER NOT NULL DEFAULT 1,
    recoveries          INTEGER NOT NULL DEFAULT 0,   -- unclean deaths since its last new record
    progress            INTEGER NOT NULL DEFAULT 0,   -- records and attempts seen at the last recovery
    parent              INTEGER,                  -- key of the workflow that started it
    detached            INTEGER NOT NULL DEFAULT 0,
    cancelled_by        INTEGER,                  -- key of the workflow whose cancel stopped it
    application_version TEXT,
    held                TEXT,
    held_versions       TEXT,
    created_us          INTEGER NOT NULL,
    updated_us          INTEGER NOT NULL,
    started_us          INTEGER,
    completed_us        INTEGER,
    CHECK ((status = 'PENDING') = (phase IS NOT NULL)),
    CHECK ((phase = 'held') = (held IS NOT NULL))
) STRICT;

CREATE INDEX workflow_ready    ON workflow (phase) WHERE phase = 'ready';
CREATE INDEX workflow_held     ON workflow (phase) WHERE phase = 'held';
CREATE INDEX workflow_due      ON workflow (due_us) WHERE phase = 'parked' AND due_us IS NOT NULL;
CREATE INDEX workflow_deadline ON workflow (deadline_us) WHERE completed_us IS NULL AND deadline_us IS NOT NULL;
CREATE INDEX workflow_owner    ON workflow (owner) WHERE owner IS NOT NULL;
CREATE INDEX workflow_stopped  ON workflow (owner) WHERE owner IS NOT NULL AND phase IS NULL;
CREATE INDEX workflow_stopping ON workflow (owner) WHERE phase = 'stopping';
CREATE INDEX workflow_parent   ON workflow (parent) WHERE parent IS NOT NULL;

CREATE TABLE request (
    workflow            INTEGER PRIMARY KEY REFERENCES workflow (key) ON DELETE CASCADE,
    input               TEXT NOT NULL,
    timeout_us          INTEGER,
    forked_from         TEXT,
    authenticated_user  TEXT,
    authenticated_roles TEXT,                     -- a JSON list
    attributes          TEXT                      -- a JSON object, for the user to search by
) STRICT;

CREATE TABLE outcome (
    workflow INTEGER PRIMARY KEY REFERENCES workflow (key) ON DELETE CASCADE,
    output   TEXT,
    error    TEXT
) STRICT;

-- A step with completed_us is settled and never runs again. Without, it is a promise: a wait whose
-- deadline is fixed (due_us), attempts that failed so far (attempts, error: a list of them), or the
-- intent to run a body that must not run twice.
CREATE TABLE step (
    key          INTEGER PRIMARY KEY,
    workflow     INTEGER NOT NULL REFERENCES workflow (key) ON DELETE CASCADE,
    step         TEXT NOT NULL,                   -- its number: 1, 2, 3; 4.1 in a branch
    name         TEXT NOT NULL,
    output       TEXT,
    error        TEXT,
    attempts     INTEGER NOT NULL DEFAULT 1,
    child        TEXT,                            -- id of the workflow that this step started, until that is deleted
    due_us       INTEGER,
    started_us   INTEGER NOT NULL,
    completed_us INTEGER
) STRICT;

CREATE UNIQUE INDEX step_number ON step (workflow, step);

-- What parked workflows wait for, until they are claimed again.
CREATE TABLE wait (
    key      INTEGER PRIMARY KEY,
    workflow INTEGER NOT NULL REFERENCES workflow (key) ON DELETE CASCADE,
    step     TEXT NOT NULL,                       -- the durable call that waits
    name     TEXT NOT NULL,
    waits    TEXT,                                -- 'workflow:<id>' for its end; NULL for a moment alone
    due_us   INTEGER
) STRICT;

CREATE INDEX wait_workflow ON wait (workflow);
CREATE INDEX wait_waits    ON wait (waits) WHERE waits IS NOT NULL;
