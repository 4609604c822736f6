import type { Queryable } from '#libs/postgres/database.ts';
import { writeOutbox } from '#libs/postgres/outbox.ts';
import { SandboxChanged } from '#proto/drydock/internal/v1/events.ts';
import type { SandboxRow } from '../rows.ts';

/** JetStream subject of `SandboxChanged`. */
export const CHANGED_SUBJECT = 'drydock.session.sandbox.changed';

type Changed = Pick<SandboxRow, 'id' | 'organization_id' | 'executor_id' | 'state' | 'stop_reason'>;

export function changedEvent(row: Changed): Buffer {
  const event: SandboxChanged = {
    sandboxId: row.id,
    organizationId: row.organization_id,
    executorId: row.executor_id,
    state: row.state,
    reason: row.stop_reason,
  };
  return Buffer.from(SandboxChanged.encode(event).finish());
}

/** Tells the others, by the outbox, that sandboxes are in another state, or have another deadline or executor. */
export async function announce(tx: Queryable, ...rows: Changed[]): Promise<void> {
  await writeOutbox(tx, CHANGED_SUBJECT, ...rows.map(changedEvent));
}
