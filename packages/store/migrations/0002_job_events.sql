-- expands
-- A name of this hub that stays, so that the id of an event tells of which hub it is. One row.
create table hub (
  is_only boolean primary key default true check (is_only),
  hub_id text not null
);
--> statement-breakpoint
insert into hub (hub_id) values (substr(md5(gen_random_uuid()::text), 1, 8));
--> statement-breakpoint
-- The address from which a person asked for a change. Null: the hub itself acts, or nobody knows.
alter table job_events add column client_address text;
--> statement-breakpoint
-- Events are a record of what was done: rows are added, and go only with their job. The hub itself has to be held to that, because it
-- owns the table.
create function refuse_changed_job_events() returns trigger language plpgsql as $$
begin
  raise exception 'job_events takes no %: what has happened to a job is not changed', lower(tg_op)
    using errcode = 'restrict_violation';
end $$;
--> statement-breakpoint
create trigger job_events_are_not_changed before update or truncate on job_events
  for each statement execute function refuse_changed_job_events();
--> statement-breakpoint
-- For a deleted job Postgres deletes its events in one statement, after the row of the job has gone.
create function refuse_lost_job_events() returns trigger language plpgsql as $$
begin
  if exists (select from lost join jobs using (job_key)) then
    raise exception 'job_events takes no delete: events go with their job'
      using errcode = 'restrict_violation';
  end if;
  return null;
end $$;
--> statement-breakpoint
create trigger job_events_go_with_their_job after delete on job_events
  referencing old table as lost
  for each statement execute function refuse_lost_job_events();
--> statement-breakpoint
-- A second lock, which somebody has to open by hand. The right to delete has to stay: retention deletes as the owner of the table.
revoke update, truncate on job_events from public, current_user;
