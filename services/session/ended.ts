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
          // What ends before it ran has failed to start, and gives its request id back.
          `update sandboxes set state = 'STOPPED', stop_time = now(),
             stop_reason = case state when 'PENDING' then 'FAILED_TO_START' else $3 end,
             request_id = case state when 'PENDING' then null else request_id end
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
