import type { Queryable } from '#libs/database.ts';
import { writeOutbox } from '#libs/outbox.ts';
import { SandboxChanged } from '#proto/drydock/internal/v1/events.ts';
import type { SandboxRow } from './rows.ts';

/** JetStream subject of `SandboxChanged`. */
export const CHANGED_SUBJECT = 'drydock.session.sandbox.changed';

/** Tells the others, by the outbox, that a sandbox is in another state. */
export async function announce(tx: Queryable, row: SandboxRow): Promise<void> {
  const event: SandboxChanged = {
    sandboxId: row.id,
    organizationId: row.organization_id,
    executorId: row.executor_id,
    state: row.state,
    reason: row.stop_reason,
  };
  await writeOutbox(tx, CHANGED_SUBJECT, SandboxChanged.encode(event).finish());
}
