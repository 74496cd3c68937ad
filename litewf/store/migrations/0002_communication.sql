-- How workflows talk: to each other, to their callers, and to the world.
--
-- message      what was sent to a workflow, until a recv takes it
-- event        values that workflows show under a name; the latest counts, the others are kept for forks and rewinds
-- stream       values that workflows append under a name, at offsets without a gap
-- cloud_event  CloudEvents from anywhere, each (source, id) once
-- taking       which wait of which workflow took a CloudEvent
--
-- Keys only go up and are never used again: what came since a key that one has seen is a range, so another process
-- that looks after a commit reads what is new and nothing else.
-- A step of '0' stands for all earlier generations: what they did is never undone.

CREATE TABLE message (
    key             INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow        INTEGER NOT NULL REFERENCES workflow (key) ON DELETE CASCADE,   -- to whom
    topic           TEXT,
    idempotency_key TEXT,
    value           TEXT NOT NULL,
    sent_us         INTEGER NOT NULL,
    taken_by        TEXT                          -- the step that received it
) STRICT;

CREATE UNIQUE INDEX message_once ON message (workflow, idempotency_key);
CREATE INDEX message_unread ON message (workflow, topic, key) WHERE taken_by IS NULL;

CREATE TABLE event (
    key      INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow INTEGER NOT NULL REFERENCES workflow (key) ON DELETE CASCADE,
    name     TEXT NOT NULL,
    value    TEXT NOT NULL,
    step     TEXT NOT NULL,                       -- that set it
    set_us   INTEGER NOT NULL
) STRICT;

CREATE INDEX event_name ON event (workflow, name, key);

CREATE TABLE stream (
    key        INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow   INTEGER NOT NULL REFERENCES workflow (key) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    offset     INTEGER NOT NULL,
    value      TEXT,                              -- NULL: the stream was closed here
    step       TEXT NOT NULL,                     -- that wrote it, or inside which it was written
    attempt    INTEGER NOT NULL,                  -- of that step; 0: the workflow wrote it, and this row is the record
    fence      INTEGER NOT NULL,                  -- of the execution that wrote it
    recorded   INTEGER,                           -- whether that attempt is the one on record; NULL: not known yet
    written_us INTEGER NOT NULL
) STRICT;

CREATE UNIQUE INDEX stream_offset ON stream (workflow, name, offset);
CREATE INDEX stream_undecided ON stream (workflow, step) WHERE recorded IS NULL;

-- What a workflow has recorded. A value that it wrote to a stream is its own record: a step row beside it would say the
-- same again, at twice the cost.
CREATE VIEW record AS
SELECT workflow, step, name, output, error, attempts, child, due_us, started_us, completed_us FROM step
UNION ALL
SELECT workflow, step, iif(value IS NULL, 'litewf.close_stream', 'litewf.write_stream'), 'null', NULL, 1, NULL, NULL,
       written_us, written_us
FROM stream WHERE attempt = 0 AND step <> '0';

CREATE TABLE cloud_event (
    key         INTEGER PRIMARY KEY AUTOINCREMENT,
    source      TEXT NOT NULL,
    id          TEXT NOT NULL,
    type        TEXT NOT NULL,
    subject     TEXT,
    attributes  TEXT NOT NULL,                    -- a JSON object: time, datacontenttype, dataschema, extensions
    data        TEXT NOT NULL,
    accepted_us INTEGER NOT NULL,                 -- never less than that of the event before
    winner      INTEGER                           -- the workflow that took it alone (delivery = "one")
) STRICT;

CREATE UNIQUE INDEX cloud_event_once ON cloud_event (source, id);
CREATE INDEX cloud_event_type ON cloud_event (type, key);
CREATE INDEX cloud_event_accepted ON cloud_event (accepted_us);

CREATE TABLE taking (
    workflow INTEGER NOT NULL REFERENCES workflow (key) ON DELETE CASCADE,
    event    INTEGER NOT NULL REFERENCES cloud_event (key) ON DELETE CASCADE,
    step     TEXT NOT NULL,
    PRIMARY KEY (workflow, event)
) STRICT, WITHOUT ROWID;

CREATE INDEX taking_event ON taking (event);

-- What a wait says of itself beyond its key: the filter of a wait for a CloudEvent, as JSON.
ALTER TABLE wait ADD COLUMN detail TEXT;
