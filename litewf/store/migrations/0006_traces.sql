-- Traces: who caused what, across processes and crashes.
--
-- trace   the W3C trace context (traceparent, then a blank and tracestate if there is one) in which a workflow was
--         started or a message sent; NULL where nobody traces

ALTER TABLE request ADD COLUMN trace TEXT;
ALTER TABLE message ADD COLUMN trace TEXT;
