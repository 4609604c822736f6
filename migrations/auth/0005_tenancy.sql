alter table organizations
  add column shared_pool boolean not null default true,
  -- It is nobody's any more, and is kept so that deleting it again succeeds.
  add column delete_time timestamptz;
