-- expands
-- Of a paused job: why, when the pause cancels the job if nobody ends it, and the stop that paused it. `window_left` is what its window
-- had left when the pause began. Until the job is resumed `deadline_at` lies far ahead, so that no process ends the window, not even one
-- of the version before.
alter table jobs
  add column pause_reason text,
  add column pause_timeout_seconds integer check (pause_timeout_seconds > 0),
  add column pause_ends_at timestamptz,
  add column window_left interval,
  add column stop_no bigint;
--> statement-breakpoint
create index jobs_pause_ends on jobs (pause_ends_at) where pause_ends_at is not null and ended_at is null;
--> statement-breakpoint
create index jobs_of_stop on jobs (stop_no) where stop_no is not null;
--> statement-breakpoint
-- A rate that rises: from `ramp_base` by `ramp_factor` for each `ramp_every` devices that were claimed or have succeeded, up to `ramp_max`.
-- `rate` is the rate now. `notified` counts the devices of claims under a rate; `ramp_from` is where the count of the ramp began.
alter table jobs
  add column notified integer not null default 0,
  add column ramp_base integer check (ramp_base > 0),
  add column ramp_factor double precision check (ramp_factor > 1),
  add column ramp_every integer check (ramp_every > 0),
  add column ramp_on text check (ramp_on in ('notified', 'succeeded')),
  add column ramp_max integer check (ramp_max > 0),
  add column ramp_from integer not null default 0;
--> statement-breakpoint
create index jobs_ramping on jobs (job_key) where status = 'running' and ramp_on = 'succeeded';
--> statement-breakpoint
-- Each time that somebody stopped many jobs at once. `handed_over_count` is null until it is known for good.
create table stops (
  stop_no bigint generated always as identity primary key,
  at timestamptz not null,
  actor text,
  client_address text,
  reason text,
  job_type text,
  job_id_prefix text,
  paused_count integer not null default 0,
  handed_over_count integer,
  resumed_at timestamptz,
  resumed_count integer
);
