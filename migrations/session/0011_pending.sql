-- Every second the sweep looks for those that never started, and clients may list them: both would read all that run.
create index sandboxes_pending on sandboxes (organization_id, id desc) where state = 'PENDING';
-- How many wait, and since when, is asked every second: from the index alone.
drop index executions_queued;
create index executions_queued on executions (organization_id, priority desc, id) include (create_time) where state = 'QUEUED';
