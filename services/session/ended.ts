import type { Events } from '#libs/events.ts';
import { isId } from '#libs/ids.ts';
import { SandboxEnded } from '#proto/drydock/internal/v1/events.ts';
import { announce } from './announce.ts';
import type { Dependencies } from './records.ts';
import { LIVE, type SandboxRow } from './rows.ts';

/** Puts on record what executors tell of sandboxes that ended by themselves. */
export function consumeEnded({
  db,
  events,
  settling,
  changed,
}: Omit<Dependencies, 'catalog'> & { events: Events }): AsyncDisposable {
  return events.consumeDurable({
    stream: 'EXECUTOR',
    durable: 'session',
    subject: 'drydock.executor.sandbox.stopped',
    async handle(data) {
      const { sandboxId, organizationId, reason } = SandboxEnded.decode(data);
      if (!isId('sbx', sandboxId)) return;
      await db.transaction(async (tx) => {
        const [row] = await tx.query<SandboxRow>(
          `update sandboxes set state = 'STOPPED', stop_reason = $3, stop_time = now()
           where id = $1 and organization_id = $2 and state = any($4) returning *`,
          [sandboxId, organizationId, reason, LIVE],
        );
        if (row) await announce(tx, row);
      });
      settling.settled(sandboxId);
      changed();
    },
  });
}
