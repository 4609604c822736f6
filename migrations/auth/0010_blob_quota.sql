alter table organizations add column blob_bytes bigint not null default 10737418240;
