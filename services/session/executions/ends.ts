import { EXECUTION_CANCELLED } from '#libs/nats/subjects.ts';
import type { Queryable } from '#libs/postgres/database.ts';
import { writeOutbox } from '#libs/postgres/outbox.ts';
import { Execution } from '#proto/drydock/v1/execution.ts';
import type { Wakeups } from '../requests/wakeups.ts';
import type { Where } from '../requests/where.ts';
import { type ExecutionRow, encodeResult } from './row.ts';

export type Dependencies = {
  wakeups: Pick<Wakeups, 'publish'>;
  /** Wakes the senders of webhook deliveries. */
  webhooksDue: () => void;
};

export type End = {
  state: 'FINISHED' | 'CANCELLED';
  /** The value of `ExecutionRow.result`. */
  result: string;
  stdout?: Uint8Array;
  stderr?: Uint8Array;
  transcript?: Uint8Array;
  /** Gives the request id of a run that was waited for back, so that a retry with it runs the program. */
  retriable?: boolean;
  /** Tells schedulers to abort the attempts. */
  abort?: boolean;
};

/** An execution that has just ended, and the number of webhook deliveries that its end made. */
export type Ended = ExecutionRow & { deliveries: number };

/** The end of an execution that its client or its organisation's deletion cancels. */
export const CANCELLED: End = { state: 'CANCELLED', result: encodeResult(Execution.create({ verdict: 'CANCELLED' })) };

/** The end of an execution that the platform failed to run. */
export function internalError(message: string): End {
  const result = Execution.create({ state: 'FINISHED', verdict: 'INTERNAL_ERROR', message });
  return { state: 'FINISHED', result: encodeResult(result) };
}

/**
 * Ends executions, the only place that does: their rows, the deliveries to webhooks of those that were in the queue, and the
 * event for schedulers. Without `abort` it is one statement, which needs no transaction. Returns those that it ended;
 * `publishEnds` is to be called for them after the commit.
 */
export async function endExecutions(tx: Queryable, where: Where, end: End): Promise<Ended[]> {
  const { state, result, stdout, stderr, transcript, retriable = false, abort = false } = end;
  const first = where.values.length + 1;
  const rows = await tx.query<Ended>(
    `update executions
     set state = $${first}, result = $${first + 1}, stdout = $${first + 2}, stderr = $${first + 3}, transcript = $${first + 5}, finish_time = now(), spec = null,
       request_id = case when $${first + 4} and lease_expire is null then null else request_id end
     where ${where.sql}
     returning *, case when lifetime_ms is not null then tell_webhooks(id, organization_id) else 0 end as deliveries`,
    [...where.values, state, result, stdout ?? null, stderr ?? null, retriable, transcript?.length ? transcript : null],
  );
  if (abort) await writeOutbox(tx, EXECUTION_CANCELLED, ...rows.map(({ id }) => ({ executionId: id })));
  return rows;
}

/** Wakes the calls that wait for these executions, and the senders of webhooks. */
export function publishEnds({ wakeups, webhooksDue }: Dependencies, rows: Ended[]): void {
  for (const { id } of rows) wakeups.publish(id);
  if (rows.some(({ deliveries }) => deliveries > 0)) webhooksDue();
}
