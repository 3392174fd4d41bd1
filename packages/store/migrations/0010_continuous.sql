-- expands
-- A continuous job takes in devices that come to match while it runs, up to `max_devices` in all; null: any number. `joins_checked_at` is
-- when its condition was last evaluated over the whole fleet.
alter table jobs
  add column is_continuous boolean not null default false,
  add column max_devices integer check (max_devices > 0),
  add column joins_checked_at timestamptz;
--> statement-breakpoint
create index jobs_continuous on jobs (job_key) where status = 'running' and is_continuous;
