-- Whether the order of commits in the -wal can be relied on.
--
-- relaxed  a writer with durability "normal" has opened this file. Such a writer does not sync each commit, so a power
--          cut may leave later commits in the -wal without earlier ones, which is otherwise a sign of damage.

ALTER TABLE store ADD COLUMN relaxed INTEGER NOT NULL DEFAULT 0;
