import type { Dependencies } from './records.ts';
import type { ExecutionRow } from './rows.ts';

/** An execution that has just ended, with how many deliveries to webhooks that has made. */
export type Ended = ExecutionRow & { deliveries: number };

/**
 * What every statement that ends executions returns beside their columns: it tells the webhooks of those that were in the
 * queue. The end and its deliveries are one statement.
 */
export const DELIVERIES =
  'case when lifetime_ms is not null then tell_webhooks(id, organization_id) else 0 end as deliveries';

/** Wakes whoever waits for these executions, and whoever sends to webhooks. To be called after the commit. */
export function announceEnds({ settling, webhooksDue }: Pick<Dependencies, 'settling' | 'webhooksDue'>, rows: Ended[]) {
  for (const { id } of rows) settling.settled(id);
  if (rows.some(({ deliveries }) => deliveries > 0)) webhooksDue();
}
