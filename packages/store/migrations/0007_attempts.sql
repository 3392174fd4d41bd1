-- expands
-- Of a device job that may be called again: its last calls, oldest first, and how often the device has put it off. Null: none.
alter table device_jobs add column attempts jsonb, add column not_nows integer;
