-- Each lets one executor have its first certificate.
create table join_tokens (
  token_sha256 bytea primary key,
  executor_id text not null,
  create_time timestamptz not null default now(),
  expire_time timestamptz not null,
  use_time timestamptz,
  -- Of the public key that it was used with: its answer may have been lost, and is asked for again.
  key_sha256 bytea
);
-- For the sweep.
create index join_tokens_by_expire_time on join_tokens (expire_time);
