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
   * Aborts the calls to a lost executor, and records the loss of its sandboxes. In a cluster sandboxes outlive their executor,
   * and the executor that takes them over reports them instead.
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
        .catch((error) => log.error({ err: error, executorId }, 'failed to record the loss of an executor'));
    },
  };
}
