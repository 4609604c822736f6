alter table api_keys
  -- The key that made it; empty for an organisation's first one.
  add column creator_api_key_id text not null default '',
  add column expire_time timestamptz;
-- The audit log names the makers of existing keys.
update api_keys set creator_api_key_id = audit_log.api_key_id
  from audit_log where audit_log.action = 'CreateApiKey' and audit_log.resource_id = api_keys.id;
create index api_keys_by_creator on api_keys (creator_api_key_id);
