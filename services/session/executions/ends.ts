import { EXECUTION_CANCELLED } from '#libs/nats/subjects.ts';
import type { Queryable } from '#libs/postgres/database.ts';
import { writeOutbox } from '#libs/postgres/outbox.ts';
import { Execution } from '#proto/drydock/v1/execution.ts';
import type { Wakeups } from '../requests/wakeups.ts';
import { type ExecutionRow, encodeResult } from './row.ts';

/** The `result` of an execution that is cancelled. */
export const CANCELLED = encodeResult(Execution.create({ verdict: 'CANCELLED' }));

export type Dependencies = {
  wakeups: Pick<Wakeups, 'publish'>;
  /** Wakes the senders of webhook deliveries. */
  webhooksDue: () => void;
};

/** An execution that has just ended, with how many deliveries to webhooks that has made. */
export type Ended = ExecutionRow & { deliveries: number };

/**
 * What every statement that ends executions returns beside their columns: it tells the webhooks of those that were in the
 * queue. The end and its deliveries are one statement.
 */
export const DELIVERIES =
  'case when lifetime_ms is not null then tell_webhooks(id, organization_id) else 0 end as deliveries';

/** Tells whoever runs them, by the outbox, that executions were cancelled. */
export async function tellCancelled(tx: Queryable, rows: Pick<ExecutionRow, 'id'>[]): Promise<void> {
  await writeOutbox(tx, EXECUTION_CANCELLED, ...rows.map(({ id }) => ({ executionId: id })));
}

/** Wakes whoever waits for these executions, and whoever sends to webhooks. To be called after the commit. */
export function announceEnds({ wakeups, webhooksDue }: Dependencies, rows: Ended[]) {
  for (const { id } of rows) wakeups.publish(id);
  if (rows.some(({ deliveries }) => deliveries > 0)) webhooksDue();
}
