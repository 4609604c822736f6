alter table organizations
  add column shared_pool boolean not null default true,
  -- Deleted; the row is kept so that deleting it again succeeds.
  add column delete_time timestamptz;
