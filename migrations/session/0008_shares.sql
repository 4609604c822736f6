-- When an operator set the share; null where nobody has, and it is what callers say.
alter table tenants add column set_time timestamptz;
