-- Locks an organisation until the transaction ends, so that counting and the next insert are one step. Returns the row that an
-- earlier request of the same id made, else the number of the organisation's live sandboxes and running executions.
-- Each statement of a volatile function sees all earlier commits, those that the lock waited for included.
create function admit(organization text, request text, kind text, out earlier text, out live bigint)
language plpgsql volatile as $$
begin
  perform from tenants where organization_id = organization for update;
  if not found then
    insert into tenants (organization_id) values (organization) on conflict do nothing;
    perform from tenants where organization_id = organization for update;
  end if;
  if request is not null and kind = 'sandbox' then
    select id into earlier from sandboxes where organization_id = organization and request_id = request;
  elsif request is not null then
    select id into earlier from executions where organization_id = organization and request_id = request;
  end if;
  if earlier is null then
    select (select count(*) from sandboxes where organization_id = organization and state <> 'STOPPED')
         + (select count(*) from executions where organization_id = organization and state = 'RUNNING') into live;
  end if;
end
$$;
