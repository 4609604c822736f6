-- Ids made within one millisecond do not sort; events of one key must.
alter table outbox add column position bigint generated always as identity;
create index outbox_by_position on outbox (position);
