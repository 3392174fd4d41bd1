-- Whether the last connection of an identity left a session behind, be it without subscriptions.
alter table sessions add column is_persistent boolean not null default false;
