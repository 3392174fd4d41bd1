-- expands
-- The span that asked for a job, so that the processes that carry it out go on with its trace.
alter table jobs add column traceparent text;
