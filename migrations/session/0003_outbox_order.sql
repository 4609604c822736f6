-- Ids made within one millisecond do not sort; events of one sandbox must.
alter table outbox add column position bigint generated always as identity;
create index outbox_by_position on outbox (position);
