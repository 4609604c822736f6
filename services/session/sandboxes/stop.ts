import type { Queryable } from '#libs/postgres/database.ts';
import type { Sandbox_StopReason } from '#proto/drydock/v1/sandbox.ts';
import type { Where } from '../requests/where.ts';
import { publishChanges } from './changed-event.ts';
import { LIVE, type SandboxRow } from './row.ts';

/**
 * Stops live sandboxes, the only place that does: their rows, and their events for executors and gateways. A sandbox that
 * never started gives its request id back, so that a retry with it makes another. Returns those that it stopped.
 */
export async function stopSandboxes(tx: Queryable, where: Where, reason: Sandbox_StopReason): Promise<SandboxRow[]> {
  const first = where.values.length + 1;
  const rows = await tx.query<SandboxRow>(
    // The first comparison is that of the indexes.
    `update sandboxes
     set state = 'STOPPED', stop_reason = $${first}, stop_time = now(),
       request_id = case
         when $${first} = 'FAILED_TO_START' or ($${first} = 'EXPIRED' and state = 'PENDING') then null
         else request_id
       end
     where ${where.sql} and state <> 'STOPPED' and state = any($${first + 1}) returning *`,
    [...where.values, reason, LIVE],
  );
  await publishChanges(tx, ...rows);
  return rows;
}
