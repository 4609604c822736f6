import type { Rpc } from '#libs/grpc/rpc.ts';
import type { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { createExecutionRecords, type Dependencies as ExecutionDependencies } from './executions/records.ts';
import { createQueueRecords, type Dependencies as QueueDependencies } from './queue/records.ts';
import { createSandboxRecords, type Dependencies as SandboxDependencies } from './sandboxes/records.ts';

export type Dependencies = SandboxDependencies & ExecutionDependencies & QueueDependencies;

export function createRecords(dependencies: Dependencies): Rpc<RecordServiceDefinition> {
  return {
    ...createSandboxRecords(dependencies),
    ...createExecutionRecords(dependencies),
    ...createQueueRecords(dependencies),
  };
}
