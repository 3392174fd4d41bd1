-- What the last patches removed of the desired properties, for a device that missed one of them: `[[version, removed], ...]`.
-- Null while none has, so that the table is not rewritten.
alter table twins add column desired_removals jsonb;
