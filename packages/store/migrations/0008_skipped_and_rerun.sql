-- expands
-- Devices that somebody took out of a job. They count in `canceled` too, so that a process of the version before this one, which does not
-- know them, sums right and sees which chunks are open.
alter table chunks add column skipped integer not null default 0;
--> statement-breakpoint
-- Not checked against the rows that are there: all of them have none.
alter table chunks add constraint chunks_skipped_check check (skipped between 0 and canceled) not valid;
--> statement-breakpoint
alter table device_jobs drop constraint device_jobs_status_check;
--> statement-breakpoint
-- A device that was ended by itself has a row that says so. Not checked against the rows that are there: every one has a status of the
-- former list. To a process of the version before, such a device looks pending in lists; it claims none of them. One that carries out a
-- chunk of twins with such a device breaks a check of `chunks` with it, and so leaves the chunk to others.
alter table device_jobs add constraint device_jobs_status_check
  check (status in ('pending', 'running', 'completed', 'failed', 'canceled', 'skipped')) not valid;
--> statement-breakpoint
-- The job whose devices this one takes up again. No reference: a parent may be purged before its children, and its key is never used again.
alter table jobs add column parent_key bigint;
--> statement-breakpoint
create index jobs_children on jobs (parent_key, job_key) where parent_key is not null;
