-- Schedules: workflows that run again and again.
--
-- schedule  when a workflow is to be started, and the intended time of its next tick
--
-- A tick is the workflow '<schedule>@<intended time>', inserted in the transaction that moves next_us past that time. So
-- whoever sees a tick that is due either starts it and moves on, or finds that another process has.
--
-- origin  'code': fires while an engine runs whose program defines it; 'file': while one has its workflow
-- Ticks that must not overlap, and those that start late by their jitter, go through the queue 'litewf.scheduled', which
-- every engine serves; there the partition of a schedule runs one at a time.

CREATE TABLE schedule (
    name        TEXT PRIMARY KEY,
    workflow    TEXT NOT NULL,                    -- its name
    receiver    TEXT,                             -- names the object or class of a method
    cron        TEXT NOT NULL,
    timezone    TEXT NOT NULL,
    on_missed   TEXT NOT NULL CHECK (on_missed IN ('skip', 'once', 'all')),
    catch_up_us INTEGER,
    overlap     TEXT NOT NULL CHECK (overlap IN ('allow', 'skip', 'buffer_one')),
    jitter_us   INTEGER NOT NULL,
    queue       TEXT,
    origin      TEXT NOT NULL CHECK (origin IN ('code', 'file')),
    paused      INTEGER NOT NULL,
    next_us     INTEGER,                          -- NULL: no tick ever comes
    last_us     INTEGER,                          -- intended time of the last tick that was started
    updated_us  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX schedule_due ON schedule (next_us) WHERE paused = 0 AND next_us IS NOT NULL;

INSERT INTO queue (name, partition_concurrency, updated_us) VALUES ('litewf.scheduled', 1, 0);
