import type { Events } from '#libs/events.ts';
import { isId } from '#libs/ids.ts';
import { SandboxesInherited } from '#proto/drydock/internal/v1/events.ts';
import { announce } from './announce.ts';
import type { Dependencies } from './records.ts';
import { LIVE, type SandboxRow } from './rows.ts';

/**
 * Puts on record what an executor took over from one that is gone. Repetition changes nothing. Of what had stopped, which
 * the heir may not know, it is told again.
 */
export function consumeInherited({
  db,
  events,
  changed,
}: Pick<Dependencies, 'db' | 'changed'> & { events: Events }): AsyncDisposable {
  return events.consumeDurable({
    stream: 'EXECUTOR',
    durable: 'session-inherited',
    subject: 'drydock.executor.sandboxes.inherited',
    async handle(data) {
      const { executorId, heirExecutorId, sandboxIds, lostTime } = SandboxesInherited.decode(data);
      // The empty id is that of sandboxes which have no executor yet.
      if (!executorId || !heirExecutorId) return;
      const inherited = sandboxIds.filter((id) => isId('sbx', id));
      await db.transaction(async (tx) => {
        const moved = await tx.query<SandboxRow>(
          `update sandboxes set executor_id = $2
           where executor_id = $1 and state <> 'STOPPED' and state = any($4) and id = any($3) returning *`,
          [executorId, heirExecutorId, inherited, LIVE],
        );
        const lost = await tx.query<SandboxRow>(
          `update sandboxes set state = 'STOPPED', stop_reason = 'HOST_LOST', stop_time = now()
           where executor_id = $1 and state <> 'STOPPED' and state = any($3) and not id = any($2)
             and start_time < $4 returning *`,
          [executorId, inherited, LIVE, lostTime],
        );
        const stopped = await tx.query<SandboxRow>(`select * from sandboxes where id = any($1) and state = 'STOPPED'`, [
          inherited,
        ]);
        await announce(tx, ...moved, ...lost, ...stopped);
      });
      changed();
    },
  });
}
