-- Bytes of blobs of an organisation, uploads included. Not in `tenants`: an upload changes it often, and runs lock that row.
create table blob_usage (
  organization_id text primary key,
  bytes bigint not null
);

-- Bytes that were uploaded or are being uploaded. The bytes are in `blob_pieces` or in a bucket.
create table blob_contents (
  id text primary key,
  organization_id text not null,
  storage text not null check (storage in ('POSTGRESQL', 'S3')),
  size_bytes bigint not null default 0,
  -- A blob has it. Others are deleted when they have not changed for a while.
  sealed boolean not null default false,
  change_time timestamptz not null default now()
);
create index blob_contents_unsealed on blob_contents (change_time) where not sealed;

create table blob_pieces (
  content_id text not null references blob_contents on delete cascade,
  number int not null,
  -- 1 MiB, the last one less.
  data bytea not null,
  primary key (content_id, number)
);
-- What tenants send seldom compresses, and reading it back would cost more.
alter table blob_pieces alter column data set storage external;

create table blobs (
  organization_id text not null,
  sha256 bytea not null,
  content_id text not null unique references blob_contents,
  size_bytes bigint not null,
  create_time timestamptz not null default now(),
  -- To a day.
  use_time timestamptz not null default now(),
  primary key (organization_id, sha256)
);
create index blobs_by_use on blobs (use_time);

create table test_sets (
  id text primary key,
  organization_id text not null,
  request_id text,
  request_sha256 bytea not null,
  name text not null,
  version text not null,
  case_count int not null,
  size_bytes bigint not null,
  -- The public message, without what the other columns hold.
  content bytea not null,
  create_time timestamptz not null default now(),
  -- Deleted; the sweep deletes the row when no execution needs it any more.
  delete_time timestamptz
);
create unique index test_sets_by_request on test_sets (organization_id, request_id) where request_id is not null;
create index test_sets_by_organization on test_sets (organization_id, id desc) where delete_time is null;
create index test_sets_by_name on test_sets (organization_id, name, id desc) where delete_time is null;
create index test_sets_deleted on test_sets (delete_time) where delete_time is not null;

create table test_set_blobs (
  organization_id text not null,
  sha256 bytea not null,
  test_set_id text not null references test_sets on delete cascade,
  primary key (organization_id, sha256, test_set_id),
  foreign key (organization_id, sha256) references blobs
);
create index test_set_blobs_by_test_set on test_set_blobs (test_set_id);

-- Of an execution that a test set was submitted for. Not a reference: one that fails would fail all that are written with it.
alter table executions add column test_set_id text;
create index executions_by_test_set on executions (test_set_id)
  where test_set_id is not null and state in ('QUEUED', 'RUNNING');
