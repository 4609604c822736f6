-- One row per organisation that ever made a request: locking it makes counting and inserting one step.
create table tenants (
  organization_id text primary key
);

create table sandboxes (
  id text primary key,
  organization_id text not null references tenants,
  request_id text,
  request_sha256 bytea not null,
  template text not null,
  state text not null check (state in ('PENDING', 'RUNNING', 'PAUSED', 'STOPPED')),
  stop_reason text not null default 'STOP_REASON_UNSPECIFIED',
  limits jsonb not null,
  metadata jsonb not null,
  executor_id text not null default '',
  create_time timestamptz not null default now(),
  start_time timestamptz,
  expire_time timestamptz not null,
  stop_time timestamptz
);
create unique index sandboxes_by_request on sandboxes (organization_id, request_id) where request_id is not null;
create index sandboxes_by_organization on sandboxes (organization_id, id desc);
create index sandboxes_live on sandboxes (organization_id) where state <> 'STOPPED';
create index sandboxes_expiring on sandboxes (expire_time) where state <> 'STOPPED';
create index sandboxes_by_executor on sandboxes (executor_id) where state <> 'STOPPED';

create table executions (
  id text primary key,
  organization_id text not null references tenants,
  request_id text,
  request_sha256 bytea not null,
  language text not null,
  template text not null,
  state text not null check (state in ('QUEUED', 'RUNNING', 'FINISHED', 'CANCELLED')),
  -- The result without the output: the public message in base64.
  result text,
  stdout bytea,
  stderr bytea,
  create_time timestamptz not null default now(),
  finish_time timestamptz,
  -- When it is given up unless it was completed.
  deadline timestamptz not null
);
create unique index executions_by_request on executions (organization_id, request_id) where request_id is not null;
create index executions_by_organization on executions (organization_id, id desc);
create index executions_live on executions (organization_id) where state = 'RUNNING';
create index executions_overdue on executions (deadline) where state = 'RUNNING';

create table outbox (
  id text primary key,
  subject text not null,
  payload bytea not null
);
