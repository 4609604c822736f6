create index api_keys_by_revoke_time on api_keys (revoke_time, id) where revoke_time is not null;
create index organizations_by_delete_time on organizations (delete_time, id) where delete_time is not null;
