-- The last takeover of each executor's sandboxes. It also applies to sandboxes that the executor itself took over, if that event
-- arrives later.
create table inheritances (
  executor_id text primary key,
  heir_executor_id text not null,
  sandbox_ids text[] not null,
  lost_time timestamptz not null
);

-- When its previous executor was lost; null with its first executor.
alter table sandboxes add column inherit_time timestamptz;
