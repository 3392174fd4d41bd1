-- expands
-- Where events of jobs go. `webhook_key` is never used again: deliveries of a webhook that was deleted do not reach another one of the same
-- id. Null in a filter: everything matches.
create table webhooks (
  webhook_key bigint generated always as identity primary key,
  webhook_id text collate "C" not null unique,
  url text not null,
  secret text not null,
  kinds text[],
  job_id_prefix text,
  job_type text,
  created_at timestamptz not null
);
--> statement-breakpoint
-- One row for each event and each webhook that wants it. No reference to `webhooks`: it would lock the row of the webhook in every
-- transaction of a job that has an event, and a webhook that is deleted at that moment would undo the job's own change.
-- `not_before` of a pending row is when the next try may come; while a try is under way, it is the end of its lease. `attempts` counts all
-- tries and is their fence, `failures` those that failed since the event happened or was replayed. `dies_at`: a try that fails after it is
-- the last.
create table webhook_deliveries (
  job_key bigint not null references jobs (job_key) on delete cascade,
  webhook_key bigint not null,
  event_no bigint not null,
  state text not null default 'pending' check (state in ('pending', 'delivered', 'dead')),
  attempts integer not null default 0,
  failures integer not null default 0,
  not_before timestamptz not null,
  dies_at timestamptz not null,
  ended_at timestamptz,
  failure text,
  primary key (job_key, webhook_key, event_no),
  check ((ended_at is null) = (state = 'pending'))
);
--> statement-breakpoint
create index webhook_deliveries_listed on webhook_deliveries (webhook_key, state, event_no);
--> statement-breakpoint
create index webhook_deliveries_pending on webhook_deliveries (webhook_key, not_before, event_no) where state = 'pending';
--> statement-breakpoint
create index webhook_deliveries_delivered on webhook_deliveries (ended_at) where state = 'delivered';
--> statement-breakpoint
-- In the transaction of the event itself, whoever writes it: a process of the version before this one does not know webhooks. A session keeps
-- the plan that it made while `jobs` was small, so no plan may scan it.
create function add_webhook_deliveries() returns trigger language plpgsql set enable_seqscan = off as $$
begin
  if not exists (select from webhooks) then
    return null;
  end if;
  insert into webhook_deliveries (job_key, webhook_key, event_no, not_before, dies_at)
  select event.job_key, webhook.webhook_key, event.event_no, event.at, event.at + interval '24 hours'
    from added event
    join jobs job on job.job_key = event.job_key
    join webhooks webhook
      on (webhook.kinds is null
          or case when event.kind in ('completed', 'failed') then 'ended' else event.kind end = any (webhook.kinds))
     and (webhook.job_id_prefix is null or starts_with(job.job_id, webhook.job_id_prefix))
     and (webhook.job_type is null or webhook.job_type = job.type);
  return null;
end $$;
--> statement-breakpoint
create trigger job_events_to_webhooks
  after insert on job_events
  referencing new table as added
  for each statement execute function add_webhook_deliveries();
