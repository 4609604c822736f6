-- The beginning of the talk between a program and its interactor, as bytes; null without one.
alter table executions add column transcript bytea, alter column transcript set storage external;
