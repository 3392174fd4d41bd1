-- Modules: identities below a device, with a twin and a session of their own in the tables of devices, under the key
-- `<device id>/<module id>`. Neither id can hold a slash; the key is also the client id with which a module connects.
alter table devices
  add column module_of text collate "C"
    generated always as (case when strpos(device_id, '/') > 0 then split_part(device_id, '/', 1) end) stored
    references devices (device_id) on delete cascade;
--> statement-breakpoint
create index devices_modules on devices (module_of) where module_of is not null;
--> statement-breakpoint
-- The primary key carries the column, so that to count or list all devices does not take reading all twins.
alter table twins
  add column module_id text collate "C"
    generated always as (case when strpos(device_id, '/') > 0 then split_part(device_id, '/', 2) end) stored,
  drop constraint twins_pkey,
  add primary key (device_id) include (module_id);
--> statement-breakpoint
-- The order in which modules are listed: `a/m` before `a-b/m`, which their keys would not give.
create index twins_modules on twins (split_part(device_id, '/', 1), module_id) where module_id is not null;
--> statement-breakpoint
-- Few devices are disabled, and those are the ones that one looks for.
create index devices_disabled on devices (device_id) where status = 'disabled';
--> statement-breakpoint
-- Without statistics of its own, a new column counts as one that is hardly ever null.
analyze devices, twins;
