-- What a workflow wrote to a stream has no outcome but that it is there. It was shown as the JSON text 'null', which an
-- engine with another serializer could not read.

DROP VIEW record;

CREATE VIEW record AS
SELECT workflow, step, name, output, error, attempts, child, due_us, started_us, completed_us FROM step
UNION ALL
SELECT workflow, step, iif(value IS NULL, 'litewf.close_stream', 'litewf.write_stream'), NULL, NULL, 1, NULL, NULL,
       written_us, written_us
FROM stream WHERE attempt = 0 AND step <> '0';
