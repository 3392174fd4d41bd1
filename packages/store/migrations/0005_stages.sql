-- expands
-- A watched job has gates between its stages, or conditions by which it stops. `abort_when` are those of the job as a whole, and
-- `fired_criteria` the numbers of those that have stopped it, each of which does so once.
alter table jobs add column is_watched boolean not null default false;
--> statement-breakpoint
-- The number of its last stage, from the start on.
alter table jobs add column last_stage integer;
--> statement-breakpoint
alter table jobs add column abort_when jsonb;
--> statement-breakpoint
alter table jobs add column fired_criteria integer[] not null default '{}';
--> statement-breakpoint
-- A process of the version before this one would start a watched job with all its devices at once. It does not set `last_stage`, so its
-- start fails, and the job waits for a process of this version. Not checked against the rows that are there: none is watched.
alter table jobs add constraint jobs_watched_check check (not is_watched or week is null or last_stage is not null) not valid;
--> statement-breakpoint
create index jobs_watched on jobs (job_key) where is_watched and status = 'running' and paused_at is null;
--> statement-breakpoint
-- Of the gate behind a stage: since when enough of its devices have ended well, and when it paused the job because they cannot. A pause of
-- the job moves `met_at` on by its length.
alter table stages add column met_at timestamptz;
--> statement-breakpoint
alter table stages add column held_at timestamptz;
--> statement-breakpoint
-- When `abort_when` stopped the job. It does so once.
alter table stages add column aborted_at timestamptz;
