-- Who looks after a module, as its creator says.
alter table devices add column managed_by text;
