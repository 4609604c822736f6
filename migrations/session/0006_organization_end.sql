-- Since when an organisation that was deleted is being ended; null again once nothing can come of it any more.
alter table tenants add column ending_since timestamptz;
create index tenants_ending on tenants (ending_since) where ending_since is not null;
