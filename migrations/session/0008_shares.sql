-- When an operator set the share; null if it comes from callers' tokens.
alter table tenants add column set_time timestamptz;
