-- Executions of the queue: what is to be run is kept until it has been, and a running one belongs to one attempt at a time.
alter table executions
  add column priority int not null default 0,
  -- The fence: a result counts only for the current attempt.
  add column attempt int not null default 0,
  -- Attempts that were lost. Too many, and it is given up.
  add column failures int not null default 0,
  -- Until when the current attempt holds it; null for those that are waited for, which end with their call.
  add column lease_expire timestamptz,
  -- The internal ExecutionSpec and how long a run of it may take in all; null once it has ended.
  add column spec bytea,
  add column lifetime_ms float8,
  add column message text not null default '',
  add column start_time timestamptz,
  alter column deadline drop not null,
  -- Compressed, a piece could not be read without all of it.
  alter column stdout set storage external,
  alter column stderr set storage external;
create index executions_queued on executions (organization_id, priority desc, id) where state = 'QUEUED';
create index executions_leased on executions (organization_id, lease_expire) where state = 'RUNNING' and lease_expire is not null;
create index executions_ended on executions (finish_time) where finish_time is not null;
create index sandboxes_stopped on sandboxes (stop_time) where stop_time is not null;

-- As last heard of: what a turn says that is given out anew.
alter table tenants
  add column concurrent_executions int not null default 16,
  add column queue_weight int not null default 100;

-- One event sent several times: the turns of a batch.
alter table outbox add column copies int not null default 1;

-- As before, but a lock that lets rows of the queue refer to the organisation meanwhile; and those do not count here,
-- having a quota of their own.
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
