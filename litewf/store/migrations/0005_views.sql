-- Views for people and for other tools: docs/sql.md describes them and promises what stays.
--
-- litewf itself never reads them: joined, SQLite may read a view whole. They are plain SELECTs over the tables, cost
-- nothing until somebody asks, and use nothing that SQLite 3.37 lacks, the oldest that can read the tables at all.
--
-- Each time is there twice: as ISO 8601 text in UTC (..._at) and as microseconds since 1970 (..._us). Values are the
-- JSON text that litewf records. A change that could break somebody's query gives litewf_view_version a new number.

CREATE VIEW litewf_view_version AS SELECT 1 AS version;

CREATE VIEW workflow_view AS
SELECT w.id AS workflow_id, w.name, w.status, w.phase, w.held,
       w.generation, w.recoveries + 1 AS attempts, w.application_version,
       e.label AS executor_id, p.id AS parent_id, r.forked_from,
       t.queue AS queue_name, nullif(t.priority, 0) AS priority, t.partition AS partition_key, t.deduplication_id,
       r.authenticated_user, r.authenticated_roles, r.attributes, r.input, o.output, o.error,
       strftime('%Y-%m-%dT%H:%M:%S', w.created_us / 1000000, 'unixepoch')
           || printf('.%06dZ', w.created_us % 1000000) AS created_at, w.created_us AS created_us,
       strftime('%Y-%m-%dT%H:%M:%S', w.updated_us / 1000000, 'unixepoch')
           || printf('.%06dZ', w.updated_us % 1000000) AS updated_at, w.updated_us AS updated_us,
       strftime('%Y-%m-%dT%H:%M:%S', w.started_us / 1000000, 'unixepoch')
           || printf('.%06dZ', w.started_us % 1000000) AS started_at, w.started_us AS started_us,
       strftime('%Y-%m-%dT%H:%M:%S', w.completed_us / 1000000, 'unixepoch')
           || printf('.%06dZ', w.completed_us % 1000000) AS completed_at, w.completed_us AS completed_us,
       strftime('%Y-%m-%dT%H:%M:%S', w.deadline_us / 1000000, 'unixepoch')
           || printf('.%06dZ', w.deadline_us % 1000000) AS deadline_at, w.deadline_us AS deadline_us,
       r.timeout_us / 1000000.0 AS timeout_s,
       (w.completed_us - coalesce(w.started_us, w.created_us)) / 1000000.0 AS duration_s
FROM workflow AS w
LEFT JOIN request AS r ON r.workflow = w.key
LEFT JOIN outcome AS o ON o.workflow = w.key
LEFT JOIN task AS t ON t.workflow = w.key
LEFT JOIN executor AS e ON e.key = w.owner
LEFT JOIN workflow AS p ON p.key = w.parent;

-- A value that a workflow wrote to a stream is its own record. Two whole joins, so that a condition on the workflow
-- finds its way into both.
CREATE VIEW step_view AS
SELECT w.id AS workflow_id, s.step AS step_id, s.name, s.output, s.error, s.attempts, s.child AS child_workflow_id,
       strftime('%Y-%m-%dT%H:%M:%S', s.started_us / 1000000, 'unixepoch')
           || printf('.%06dZ', s.started_us % 1000000) AS started_at, s.started_us AS started_us,
       strftime('%Y-%m-%dT%H:%M:%S', s.completed_us / 1000000, 'unixepoch')
           || printf('.%06dZ', s.completed_us % 1000000) AS completed_at, s.completed_us AS completed_us,
       strftime('%Y-%m-%dT%H:%M:%S', s.due_us / 1000000, 'unixepoch')
           || printf('.%06dZ', s.due_us % 1000000) AS due_at, s.due_us AS due_us,
       (s.completed_us - s.started_us) / 1000000.0 AS duration_s
FROM step AS s JOIN workflow AS w ON w.key = s.workflow
UNION ALL
SELECT w.id, s.step, iif(s.value IS NULL, 'litewf.close_stream', 'litewf.write_stream'), 'null', NULL, 1, NULL,
       strftime('%Y-%m-%dT%H:%M:%S', s.written_us / 1000000, 'unixepoch')
           || printf('.%06dZ', s.written_us % 1000000), s.written_us,
       strftime('%Y-%m-%dT%H:%M:%S', s.written_us / 1000000, 'unixepoch')
           || printf('.%06dZ', s.written_us % 1000000), s.written_us,
       NULL, NULL, 0.0
FROM stream AS s JOIN workflow AS w ON w.key = s.workflow
WHERE s.attempt = 0 AND s.step <> '0';

CREATE VIEW wait_view AS
SELECT w.id AS workflow_id, w.name AS workflow_name, x.step AS step_id, x.name,
       CASE WHEN x.waits IS NULL THEN 'time'
            WHEN x.waits GLOB 'cloud:*' THEN 'cloud_event'
            ELSE substr(x.waits, 1, instr(x.waits, ':') - 1) END AS kind,
       CASE WHEN instr(x.waits, char(10)) THEN substr(x.waits, instr(x.waits, ':') + 1,
                                                      instr(x.waits, char(10)) - instr(x.waits, ':') - 1)
            ELSE substr(x.waits, instr(x.waits, ':') + 1) END AS target,
       CASE WHEN instr(x.waits, char(10)) THEN substr(x.waits, instr(x.waits, char(10)) + 1) END AS key,
       strftime('%Y-%m-%dT%H:%M:%S', x.due_us / 1000000, 'unixepoch')
           || printf('.%06dZ', x.due_us % 1000000) AS until_at, x.due_us AS until_us
FROM wait AS x JOIN workflow AS w ON w.key = x.workflow
WHERE +w.phase = 'parked';  -- the plus: begin with the few waits, not with all workflows

CREATE VIEW event_view AS
SELECT w.id AS workflow_id, e.name AS key, e.value, e.step AS step_id,
       strftime('%Y-%m-%dT%H:%M:%S', e.set_us / 1000000, 'unixepoch')
           || printf('.%06dZ', e.set_us % 1000000) AS set_at, e.set_us AS set_us,
       NOT EXISTS (SELECT 1 FROM event AS later
                   WHERE later.workflow = e.workflow AND later.name = e.name AND later.key > e.key) AS is_latest
FROM event AS e JOIN workflow AS w ON w.key = e.workflow;

CREATE VIEW message_view AS
SELECT w.id AS workflow_id, m.topic, m.value, m.idempotency_key,
       strftime('%Y-%m-%dT%H:%M:%S', m.sent_us / 1000000, 'unixepoch')
           || printf('.%06dZ', m.sent_us % 1000000) AS sent_at, m.sent_us AS sent_us,
       m.taken_by IS NOT NULL AS is_received, nullif(m.taken_by, '0') AS received_by_step_id
FROM message AS m JOIN workflow AS w ON w.key = m.workflow;

CREATE VIEW stream_view AS
SELECT w.id AS workflow_id, s.name AS key, s.offset, s.value, s.value IS NULL AS is_close,
       nullif(s.step, '0') AS step_id, max(s.attempt, 1) AS attempt,
       s.attempt = 0 OR coalesce(s.recorded, 0) AS is_recorded,
       strftime('%Y-%m-%dT%H:%M:%S', s.written_us / 1000000, 'unixepoch')
           || printf('.%06dZ', s.written_us % 1000000) AS written_at, s.written_us AS written_us
FROM stream AS s JOIN workflow AS w ON w.key = s.workflow;

CREATE VIEW cloud_event_view AS
SELECT c.source, c.id, c.type, c.subject, c.attributes, c.data,
       strftime('%Y-%m-%dT%H:%M:%S', c.accepted_us / 1000000, 'unixepoch')
           || printf('.%06dZ', c.accepted_us % 1000000) AS accepted_at, c.accepted_us AS accepted_us,
       (SELECT count(*) FROM taking WHERE taking.event = c.key) AS taken_by_workflows
FROM cloud_event AS c;

CREATE VIEW queue_view AS
SELECT n.name, q.worker_concurrency, q.global_concurrency, q.partition_concurrency,
       q.rate_limit, q.rate_period_us / 1000000.0 AS rate_period_s, coalesce(q.priority_enabled, 0) AS priority_enabled,
       q.max_tasks_per_iteration, coalesce(q.paused, 0) AS paused,
       (SELECT count(*) FROM task WHERE queue = n.name AND state = 'waiting')
           + (SELECT count(*) FROM task WHERE queue = n.name AND state = 'behind') AS waiting,
       (SELECT count(*) FROM task WHERE queue = n.name AND slot = 1) AS running,
       (SELECT count(*) FROM task WHERE queue = n.name AND state = 'delayed') AS delayed
FROM (SELECT name FROM queue
      UNION SELECT queue FROM task WHERE state = 'waiting'
      UNION SELECT queue FROM task WHERE slot = 1
      UNION SELECT queue FROM task WHERE state = 'delayed') AS n
LEFT JOIN queue AS q ON q.name = n.name;

CREATE VIEW schedule_view AS
SELECT s.name, s.workflow AS workflow_name, s.cron, s.timezone, s.on_missed, s.catch_up_us / 1000000.0 AS catch_up_s,
       s.overlap, s.jitter_us / 1000000.0 AS jitter_s, s.queue AS queue_name, s.origin AS defined_in, s.paused,
       strftime('%Y-%m-%dT%H:%M:%S', s.next_us / 1000000, 'unixepoch')
           || printf('.%06dZ', s.next_us % 1000000) AS next_at, s.next_us AS next_us,
       strftime('%Y-%m-%dT%H:%M:%S', s.last_us / 1000000, 'unixepoch')
           || printf('.%06dZ', s.last_us % 1000000) AS last_at, s.last_us AS last_us
FROM schedule AS s;

CREATE VIEW executor_view AS
SELECT e.label AS executor_id, e.pid, e.application_version, e.only_version, e.names AS workflow_names,
       strftime('%Y-%m-%dT%H:%M:%S', e.started_us / 1000000, 'unixepoch')
           || printf('.%06dZ', e.started_us % 1000000) AS started_at, e.started_us AS started_us,
       (SELECT count(*) FROM workflow WHERE owner = e.key AND owner IS NOT NULL) AS in_memory
FROM executor AS e;
