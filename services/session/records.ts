import type { Catalog } from '#libs/catalog/catalog.ts';
import type { Rpc } from '#libs/grpc/rpc.ts';
import type { Database } from '#libs/postgres/database.ts';
import type { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { createExecutionRecords } from './executions/records.ts';
import { createQueueRecords } from './queue/records.ts';
import type { Settling } from './requests/wakeups.ts';
import { createSandboxRecords } from './sandboxes/records.ts';

export type Dependencies = {
  db: Database;
  catalog: Catalog;
  settling: Pick<Settling, 'settled' | 'until'>;
  /** There are events to send. */
  changed: () => void;
  /** There are deliveries to webhooks to send. */
  webhooksDue: () => void;
};

export function createRecords(dependencies: Dependencies): Rpc<RecordServiceDefinition> {
  return {
    ...createSandboxRecords(dependencies),
    ...createExecutionRecords(dependencies),
    ...createQueueRecords(dependencies),
  };
}
