-- One event sent several times.
alter table outbox add column copies int not null default 1;
