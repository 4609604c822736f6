create table webhooks (
  id text primary key,
  organization_id text not null references tenants,
  request_id text,
  request_sha256 bytea not null,
  url text not null,
  create_time timestamptz not null default now(),
  -- Deleted; the sweep deletes the row after its deliveries, which may be many.
  delete_time timestamptz
);
create unique index webhooks_by_request on webhooks (organization_id, request_id) where request_id is not null;
create index webhooks_by_organization on webhooks (organization_id, id desc) where delete_time is null;
create index webhooks_deleted on webhooks (id) where delete_time is not null;

-- In plain text: signing needs them.
create table webhook_secrets (
  webhook_id text not null references webhooks on delete cascade,
  secret text not null,
  create_time timestamptz not null default clock_timestamp(),
  -- Null for the current one.
  expire_time timestamptz,
  primary key (webhook_id, secret)
);

-- The body is made from the execution for each attempt, so a delivery is deleted with its execution.
create table webhook_deliveries (
  id text primary key,
  webhook_id text not null references webhooks on delete cascade,
  execution_id text not null references executions on delete cascade,
  organization_id text not null,
  state text not null default 'PENDING' check (state in ('PENDING', 'DELIVERED', 'FAILED')),
  -- Attempts so far, and the fence: an outcome counts only for the latest.
  attempts int not null default 0,
  attempts_left int not null default 8,
  status_code int not null default 0,
  error text not null default '',
  create_time timestamptz not null default now(),
  last_attempt_time timestamptz,
  -- When the next attempt is due; null after the last one.
  next_attempt_time timestamptz default now(),
  -- End of the current attempt's lease; null between attempts.
  lease_expire timestamptz
);
create index webhook_deliveries_by_webhook on webhook_deliveries (webhook_id, id desc);
create index webhook_deliveries_by_execution on webhook_deliveries (execution_id);
create index webhook_deliveries_due on webhook_deliveries (organization_id, next_attempt_time) where state = 'PENDING';
create index webhook_deliveries_leased on webhook_deliveries (lease_expire) where lease_expire is not null;

-- An id as services make them: a prefix and a UUIDv7 in lower-case Crockford base32. The rest after the time and
-- the version is random.
create function new_id(prefix text) returns text language sql volatile as $$
  select prefix || '_' || string_agg(
    substr('0123456789abcdefghjkmnpqrstvwxyz', substring(bits from 5 * place + 1 for 5)::bit(5)::int + 1, 1), ''
    order by place)
  from generate_series(0, 25) as place, (
    select b'00' || floor(extract(epoch from clock_timestamp()) * 1000)::bigint::bit(48) || b'0111'
      || substring(('x' || replace(gen_random_uuid()::text, '-', ''))::bit(128) from 53) as bits
  ) as made
$$;

-- Writes a delivery to each webhook of an organisation and returns their number. A function, because its plan is then made once
-- per connection and not per execution. The lock skips a webhook that is being deleted.
create function tell_webhooks(execution text, organization text) returns bigint language plpgsql volatile as $$
declare
  told bigint;
begin
  with hooks as (
    select id from webhooks where organization_id = organization and delete_time is null for key share
  )
  insert into webhook_deliveries (id, webhook_id, execution_id, organization_id)
  select new_id('dlv'), id, execution, organization from hooks;
  get diagnostics told = row_count;
  return told;
end
$$;
