import type { Rpc } from '#libs/grpc/rpc.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';
import type { ExecutionServiceDefinition } from '#proto/drydock/v1/execution.ts';
import type { SandboxServiceDefinition } from '#proto/drydock/v1/sandbox.ts';
import { createExecutions, type Dependencies as ExecutionDependencies } from './executions.ts';
import { createSandboxes, type Dependencies as SandboxDependencies } from './sandboxes.ts';

export type Dependencies = SandboxDependencies & ExecutionDependencies;

export type Scheduler = {
  sandboxes: Partial<Rpc<SandboxServiceDefinition>>;
  executions: Partial<Rpc<ExecutionServiceDefinition>>;
  /**
   * Ends what waits for an executor that is lost, and puts on record that what it held is gone. Not so in a cluster: there
   * sandboxes outlive their executor, and another one tells of those that it took over.
   */
  executorLost: (executor: Pick<ExecutorAnnounced, 'executorId' | 'cluster'>) => void;
};

export function createScheduler(dependencies: Dependencies): Scheduler {
  const { session, executors, log } = dependencies;
  return {
    sandboxes: createSandboxes(dependencies),
    executions: createExecutions(dependencies),
    executorLost({ executorId, cluster }) {
      log.warn({ executorId, cluster }, 'executor lost');
      executors.lost(executorId);
      if (cluster) return;
      session
        .markExecutorLost({ executorId })
        .catch((error) => log.error({ err: error, executorId }, 'loss of an executor not recorded'));
    },
  };
}
