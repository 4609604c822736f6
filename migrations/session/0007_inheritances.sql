-- What was inherited of an executor the last time that it was gone: it counts, too, where news of what that one had inherited
-- itself come after it.
create table inheritances (
  executor_id text primary key,
  heir_executor_id text not null,
  sandbox_ids text[] not null,
  lost_time timestamptz not null
);

-- When the executor was gone that had it before; null where it is with its first.
alter table sandboxes add column inherit_time timestamptz;
