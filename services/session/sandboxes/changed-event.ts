import { SANDBOX_CHANGED } from '#libs/nats/subjects.ts';
import type { Queryable } from '#libs/postgres/database.ts';
import { writeOutbox } from '#libs/postgres/outbox.ts';
import type { SandboxChanged } from '#proto/drydock/internal/v1/events.ts';
import type { SandboxRow } from './row.ts';

type Changed = Pick<SandboxRow, 'id' | 'organization_id' | 'executor_id' | 'state' | 'stop_reason'>;

export function changedEvent(row: Changed): SandboxChanged {
  return {
    sandboxId: row.id,
    organizationId: row.organization_id,
    executorId: row.executor_id,
    state: row.state,
    reason: row.stop_reason,
  };
}

/** Writes events of sandboxes whose state, deadline or executor has changed. */
export async function publishChanges(tx: Queryable, ...rows: Changed[]): Promise<void> {
  await writeOutbox(tx, SANDBOX_CHANGED, ...rows.map(changedEvent));
}
