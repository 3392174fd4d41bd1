-- Identities: devices, and modules below them. A module is a row of its own under the key `<device id>/<module id>`, which is also the
-- client id with which it connects; neither id can hold a slash. The twin, the session and everything that depends on an identity goes
-- with it.
create table devices (
  device_id text collate "C" primary key,
  generation_id text not null,
  etag bigint not null default 1,
  status text not null default 'enabled' check (status in ('enabled', 'disabled')),
  status_reason text,
  status_updated_at timestamptz,
  authentication_type text not null default 'sas'
    check (authentication_type in ('sas', 'selfSigned', 'certificateAuthority', 'none')),
  primary_key text,
  secondary_key text,
  primary_thumbprint text,
  secondary_thumbprint text,
  is_edge boolean not null default false,
  created_at timestamptz not null,
  module_of text collate "C"
    generated always as (case when strpos(device_id, '/') > 0 then split_part(device_id, '/', 1) end) stored
    references devices (device_id) on delete cascade,
  -- Who looks after a module, as its creator says.
  managed_by text,
  -- The scopes of the edge devices above a device.
  parent_scopes text[] not null default '{}'
);
--> statement-breakpoint
create index devices_modules on devices (module_of) where module_of is not null;
--> statement-breakpoint
-- Few devices are disabled, and those are the ones that one looks for.
create index devices_disabled on devices (device_id) where status = 'disabled';
--> statement-breakpoint
-- Twins. Pages are half full, because a chunk of a job updates all twins of a page in one transaction: then the new versions fit beside
-- the old ones, and no index is written (HOT). Only `tags` is indexed, because an index on a property section would make every twin
-- update write all indexes. The primary key carries `module_id`, so that to count or list all devices does not take reading all twins.
-- It carries `generation_no`, because a job that starts needs it of all its devices.
create table twins (
  device_id text collate "C" references devices (device_id) on delete cascade,
  etag bigint not null default 1,
  version bigint not null default 2,
  model_id text not null default '',
  tags jsonb not null default '{}',
  desired jsonb not null default '{}',
  desired_version bigint not null default 1,
  desired_metadata jsonb not null default '{}',
  reported jsonb not null default '{}',
  reported_version bigint not null default 1,
  reported_metadata jsonb not null default '{}',
  module_id text collate "C"
    generated always as (case when strpos(device_id, '/') > 0 then split_part(device_id, '/', 2) end) stored,
  -- What the last patches removed of the desired properties, for a device that missed one of them: `[[version, removed], ...]`.
  desired_removals jsonb,
  -- Rises with each identity that is registered: an identity that is made anew has a higher one.
  generation_no bigint not null generated always as identity,
  primary key (device_id) include (module_id, generation_no)
) with (fillfactor = 50);
--> statement-breakpoint
-- Uncompressed, so that pg_column_size is an upper bound of what the section limits count, without reading the value.
alter table twins
  alter column tags set storage external,
  alter column desired set storage external,
  alter column reported set storage external;
--> statement-breakpoint
-- The order in which modules are listed: `a/m` before `a-b/m`, which their keys would not give.
create index twins_modules on twins (split_part(device_id, '/', 1), module_id) where module_id is not null;
--> statement-breakpoint
create index twins_tags on twins using gin (tags jsonb_path_ops);
--> statement-breakpoint
-- One row per running gateway process; a stale heartbeat means its sessions are over. `connections` is how many it held then.
create table gateways (
  gateway_id text primary key,
  started_at timestamptz not null,
  heartbeat_at timestamptz not null,
  connections integer not null default 0
);
--> statement-breakpoint
-- One row per identity that ever connected. `gateway_id` is null while it is not connected; `connection_no` rises with each
-- connection and fences what a late gateway still has to say about an older one.
create table sessions (
  device_id text collate "C" primary key references devices (device_id) on delete cascade,
  gateway_id text,
  connection_no bigint not null default 0,
  state_updated_at timestamptz not null,
  last_activity_at timestamptz not null,
  subscriptions jsonb not null default '[]',
  accepts_methods boolean not null default false,
  -- The last connection left a session behind, be it without subscriptions.
  is_persistent boolean not null default false
) with (fillfactor = 70);
--> statement-breakpoint
create index sessions_by_gateway on sessions (gateway_id) where gateway_id is not null;
--> statement-breakpoint
create table policies (
  name text primary key,
  permissions text[] not null,
  primary_key text not null,
  secondary_key text not null
);
--> statement-breakpoint
-- Jobs. `body` is json, not jsonb: it is only read back, and a payload may hold what jsonb refuses (U+0000).
-- `week` is the Monday of the week in which the target set was frozen: the partition of its chunks and device jobs.
create table jobs (
  job_key bigint generated always as identity primary key,
  job_id text collate "C" not null unique,
  type text not null,
  status text not null check (status in ('queued', 'scheduled', 'running', 'completed', 'failed', 'cancelled')),
  query_condition text not null,
  target_ids text[],
  body json not null,
  max_execution_seconds integer not null,
  created_at timestamptz not null,
  start_at timestamptz not null,
  deadline_at timestamptz not null,
  week date,
  frozen_at timestamptz,
  ended_at timestamptz,
  failure_reason text,
  -- The highest of its devices when the target set was frozen.
  last_generation_no bigint,
  -- Starts that failed, and when the next one may come.
  attempts integer not null default 0,
  not_before timestamptz,
  -- The sums of its chunks, in the order in which `readJob` counts them, when the job has ended and no device is in flight any more.
  final_counts integer[],
  -- The last stage whose chunks may be claimed.
  open_stage integer not null default 0 check (open_stage >= 0),
  paused_at timestamptz,
  paused_by text,
  -- Devices a minute, and devices in flight; null: no limit. With a rate, no claim comes before `rate_free_at`: who changes the rate
  -- sets that to null, so that the old one holds up nothing.
  rate integer check (rate > 0),
  max_in_flight integer check (max_in_flight > 0),
  rate_free_at timestamptz,
  priority integer not null default 500 check (priority between 0 and 1000),
  check ((frozen_at is null) = (week is null)),
  check ((ended_at is not null) = (status in ('completed', 'failed', 'cancelled'))),
  check (paused_by is null or paused_at is not null)
);
--> statement-breakpoint
-- Finds the jobs that are due: one that was to start before it was made counts from then on.
create index jobs_not_started on jobs (greatest(start_at, created_at), job_key) where status in ('queued', 'scheduled');
--> statement-breakpoint
create index jobs_running on jobs (deadline_at, job_key) where status = 'running';
--> statement-breakpoint
create index jobs_running_by_key on jobs (job_key) where status = 'running';
--> statement-breakpoint
create index jobs_listed on jobs (created_at desc, job_id);
--> statement-breakpoint
create index jobs_ended on jobs (ended_at) where ended_at is not null;
--> statement-breakpoint
create index jobs_unkept on jobs (job_key) where ended_at is not null and frozen_at is not null and final_counts is null;
--> statement-breakpoint
-- One row per lease of a worker process. What it has claimed belongs to it until the lease ends: `leased_by` in chunks and
-- device_jobs is its id.
create table workers (
  worker_id text primary key,
  started_at timestamptz not null,
  lease_until timestamptz not null
) with (fillfactor = 50);
--> statement-breakpoint
-- The stages of a target set. Every job that has started has one at least. `opens_when` and `abort_when` are the conditions by which a
-- stage opens after the one before it, or ends its job; null: there is none.
create table stages (
  job_key bigint not null references jobs (job_key) on delete cascade,
  stage_no integer not null,
  device_count integer not null,
  opens_when jsonb,
  abort_when jsonb,
  opened_at timestamptz,
  closed_at timestamptz,
  reason text,
  primary key (job_key, stage_no)
);
--> statement-breakpoint
-- What has happened to a job, in the order of `event_no`. Rows are only ever added, by the statement that makes the change or in its
-- transaction. `actor` is null where the hub itself acts.
create table job_events (
  event_no bigint generated always as identity primary key,
  job_key bigint not null references jobs (job_key) on delete cascade,
  kind text not null check (kind in ('created', 'started', 'completed', 'failed', 'cancelled', 'expired')),
  at timestamptz not null,
  actor text,
  fields jsonb not null default '{}'
);
--> statement-breakpoint
create index job_events_of_job on job_events (job_key, event_no);
--> statement-breakpoint
-- Chunks: fixed slices of a target set, stage by stage, and in device id order within a stage. A held chunk is not claimed. The counters
-- are the statistics; what they leave of `device_count` is pending. `attempted` counts the devices whose first attempt has been
-- recorded; `rest` says how every device without a terminal row of its own has ended.
create table chunks (
  week date not null,
  job_key bigint not null,
  chunk_no integer not null,
  device_ids text[] not null,
  device_count integer not null,
  status text not null default 'ready' check (status in ('held', 'ready', 'leased', 'attempted')),
  fence integer not null default 0,
  leased_by text,
  asked_since timestamptz,
  attempted integer not null default 0,
  succeeded integer not null default 0 check (succeeded >= 0),
  failed integer not null default 0 check (failed >= 0),
  canceled integer not null default 0 check (canceled >= 0),
  running integer not null default 0 check (running >= 0),
  rest text check (rest in ('completed', 'canceled', 'expired')),
  rest_at timestamptz,
  -- Transactions of this chunk that failed, and when the next one may come.
  claims integer not null default 0,
  not_before timestamptz,
  stage_no integer not null default 0,
  -- Whether a device of it is open. A column, because an index over the counters would be written with every outcome.
  is_open boolean not null generated always as (succeeded + failed + canceled < device_count) stored,
  primary key (week, job_key, chunk_no),
  check (succeeded + failed + canceled + running <= device_count)
) partition by range (week);
--> statement-breakpoint
create index chunks_ready on chunks (job_key, stage_no, chunk_no) where status = 'ready';
--> statement-breakpoint
create index chunks_leased on chunks (leased_by) where status = 'leased';
--> statement-breakpoint
create index chunks_open on chunks (job_key) where is_open;
--> statement-breakpoint
-- Device jobs that have something to say of their own: an answer, an error, a wait. `attempt` is also the fence of a row.
-- `deliveries` counts the calls that certainly reached the device, `unknown_deliveries` those of which nobody knows, `delivered_at` is
-- the time of the last one. `asked_since`, here and in chunks, is the time of the first claim whose outcome was not recorded: since then
-- a worker that is gone may have called the device.
-- `due_at` is when a pending row is to be tried again; infinity means: when the device connects.
create table device_jobs (
  week date not null,
  job_key bigint not null,
  device_id text collate "C" not null,
  chunk_no integer not null,
  status text not null check (status in ('pending', 'running', 'completed', 'failed')),
  attempt integer not null,
  deliveries integer not null default 0,
  unknown_deliveries integer not null default 0,
  delivered_at timestamptz,
  asked_since timestamptz,
  due_at timestamptz,
  leased_by text,
  updated_at timestamptz not null,
  response json,
  error_code text,
  error_text text,
  primary key (week, job_key, device_id),
  check ((due_at is not null) = (status = 'pending')),
  check ((leased_by is not null) = (status = 'running')),
  check ((error_code is not null) = (status = 'failed'))
) partition by range (week);
--> statement-breakpoint
create index device_jobs_waiting on device_jobs (device_id, job_key) where status = 'pending';
--> statement-breakpoint
create index device_jobs_due on device_jobs (job_key, due_at) where status = 'pending' and due_at < 'infinity';
--> statement-breakpoint
create index device_jobs_leased on device_jobs (leased_by) where status = 'running';
