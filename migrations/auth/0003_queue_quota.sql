alter table organizations
  add column concurrent_executions int not null default 16,
  add column queued_executions int not null default 100000,
  add column queue_weight int not null default 100;
