-- Executions of the queue: the spec is kept until the end, and a running execution belongs to one attempt at a time.
alter table executions
  add column priority int not null default 0,
  -- The fence: a result counts only for the current attempt.
  add column attempt int not null default 0,
  -- Lost attempts. After too many, the execution is given up.
  add column failures int not null default 0,
  -- End of the current attempt's lease; null for executions whose callers wait, which end with their call.
  add column lease_expire timestamptz,
  -- The internal ExecutionSpec, null after the end, and the limit of a whole run.
  add column spec bytea,
  add column lifetime_ms float8,
  add column message text not null default '',
  add column start_time timestamptz,
  alter column deadline drop not null,
  -- Reading a piece of a compressed value would decompress all of it.
  alter column stdout set storage external,
  alter column stderr set storage external;
create index executions_queued on executions (organization_id, priority desc, id) where state = 'QUEUED';
create index executions_leased on executions (organization_id, lease_expire) where state = 'RUNNING' and lease_expire is not null;
create index executions_ended on executions (finish_time) where finish_time is not null;
create index sandboxes_stopped on sandboxes (stop_time) where stop_time is not null;

-- The share as last reported, for tickets that are republished.
alter table tenants
  add column concurrent_executions int not null default 16,
  add column queue_weight int not null default 100;

-- One event sent several times: the tickets of a batch.
alter table outbox add column copies int not null default 1;

-- As before, with a lock that lets rows of the queue reference the organisation meanwhile. Those do not count here: they have a
-- quota of their own.
create or replace function admit(organization text, request text, kind text, out earlier text, out live bigint)
language plpgsql volatile as $$
begin
  perform from tenants where organization_id = organization for no key update;
  if not found then
    insert into tenants (organization_id) values (organization) on conflict do nothing;
    perform from tenants where organization_id = organization for no key update;
  end if;
  if request is not null and kind = 'sandbox' then
    select id into earlier from sandboxes where organization_id = organization and request_id = request;
  elsif request is not null then
    select id into earlier from executions where organization_id = organization and request_id = request;
  end if;
  if earlier is null then
    select (select count(*) from sandboxes where organization_id = organization and state <> 'STOPPED')
         + (select count(*) from executions where organization_id = organization and state = 'RUNNING' and lease_expire is null)
      into live;
  end if;
end
$$;
