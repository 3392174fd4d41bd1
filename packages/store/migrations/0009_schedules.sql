-- expands
-- Jobs that come again. `next_at`: when the next run is due; null: there is none. `waiting_at`: the time of a run that waits for the end of
-- the run before. `anchor_at`: of a schedule with `every_seconds`, the time from which they are counted. The columns from `type` on are
-- those of the jobs that it makes. `actor`: who put it last.
create table schedules (
  schedule_id text collate "C" primary key,
  cron text,
  time_zone text,
  every_seconds integer,
  anchor_at timestamptz,
  overlap text not null check (overlap in ('skip', 'queue', 'cancelPrevious')),
  catch_up text not null check (catch_up in ('none', 'last')),
  start_at timestamptz,
  end_at timestamptz,
  max_runs integer,
  type text not null,
  query_condition text not null,
  target_ids text[],
  body json not null,
  max_execution_seconds integer not null,
  extensions json not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  actor text,
  next_at timestamptz,
  waiting_at timestamptz,
  run_count integer not null default 0,
  skipped_count integer not null default 0,
  missed_count integer not null default 0,
  last_run_at timestamptz,
  last_job_id text,
  last_skipped_at timestamptz,
  last_missed_at timestamptz,
  check ((cron is null) = (time_zone is null) and (every_seconds is null) = (anchor_at is null)),
  check ((cron is null) <> (every_seconds is null))
);
--> statement-breakpoint
create index schedules_due on schedules (next_at) where next_at is not null;
--> statement-breakpoint
create index schedules_waiting on schedules (waiting_at) where waiting_at is not null;
--> statement-breakpoint
-- The schedule that has made the job, which may be gone or another one of this id. Null: a caller has.
alter table jobs add column schedule_id text;
--> statement-breakpoint
-- Of a job with windows: the zone of all devices of the chunk, and all zones of the job. Null: it has no windows.
alter table chunks add column zone text;
--> statement-breakpoint
alter table jobs add column zones text[];
