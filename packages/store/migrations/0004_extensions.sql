-- expands
-- What a job asks for beside the members of Azure IoT Hub, as its caller gave it. What the engine looks at has columns of its own.
alter table jobs add column extensions json not null default '{}';
--> statement-breakpoint
alter table job_events drop constraint job_events_kind_check;
--> statement-breakpoint
-- Not checked against the rows that are there: every one has a kind of the former list.
alter table job_events add constraint job_events_kind_check
  check (kind in ('created', 'started', 'stage', 'paused', 'resumed', 'changed', 'completed', 'failed', 'cancelled', 'expired')) not valid;
