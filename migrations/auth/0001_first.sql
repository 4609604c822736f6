create table organizations (
  id text primary key,
  display_name text not null,
  concurrent_sandboxes int not null,
  create_time timestamptz not null default now()
);

create table api_keys (
  id text primary key,
  organization_id text not null references organizations (id),
  display_name text not null,
  secret_sha256 bytea not null unique,
  scopes text[] not null,
  create_time timestamptz not null default now(),
  revoke_time timestamptz
);
create index api_keys_by_organization on api_keys (organization_id, id desc);

-- Keys that tokens are signed with. The newest signs, the others still verify until they are removed.
create table signing_keys (
  id text primary key,
  private_jwk jsonb not null,
  public_jwk jsonb not null,
  create_time timestamptz not null default now()
);

-- The resource that a request_id made, so that a repeated request finds it.
create table requests (
  organization_id text not null,
  request_id text not null,
  request_sha256 bytea not null,
  resource_id text not null,
  create_time timestamptz not null default now(),
  primary key (organization_id, request_id)
);

create table audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  organization_id text not null,
  api_key_id text not null,
  action text not null,
  resource_id text not null
);

create table outbox (
  id text primary key,
  subject text not null,
  payload bytea not null
);
