-- When an organisation was deleted; null again when all its rows have ended and its last tokens have expired.
alter table tenants add column ending_since timestamptz;
create index tenants_ending on tenants (ending_since) where ending_since is not null;
