create index api_keys_by_create_time on api_keys (organization_id, create_time);
create index api_keys_not_revoked on api_keys (organization_id) where revoke_time is null;
-- For the sweep.
create index api_keys_by_expire_time on api_keys (expire_time) where expire_time is not null;
create index requests_by_create_time on requests (create_time);
create index audit_log_by_time on audit_log (at);
