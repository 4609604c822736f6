import { invalidField } from '#libs/errors.ts';
import type { Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import type { ExecutorServiceDefinition } from '#proto/drydock/internal/v1/executor.ts';
import { type Dependencies as ExecutionDependencies, runExecution } from '../executions/execution.ts';
import type { Drain } from '../lifecycle/drain.ts';

const CLAIM_LIMIT_MS = 60_000;

export type Dependencies = ExecutionDependencies & { drain: Pick<Drain, 'check'> };

/** The API for the scheduler. A claim completes even if its caller hangs up: unconfirmed, its sandbox is destroyed after 30 s. */
export function createExecutor(dependencies: Dependencies): Rpc<ExecutorServiceDefinition> {
  const { sandboxes, drain } = dependencies;
  return {
    async claimSandbox({ spec }) {
      drain.check();
      const { warm } = await sandboxes.claim(required(spec), AbortSignal.timeout(CLAIM_LIMIT_MS));
      return { warm };
    },
    async confirmSandbox({ sandboxId }, call) {
      await sandboxes.confirm(sandboxes.get(sandboxId, callerOf(call).organizationId));
      return {};
    },
    async extendSandbox({ sandboxId, expireTime }, call) {
      await sandboxes.extend(sandboxes.get(sandboxId, callerOf(call).organizationId), expireTime ?? new Date());
      return {};
    },
    async destroySandbox({ sandboxId }) {
      await sandboxes.destroy(sandboxId);
      return {};
    },
    runExecution({ spec, streamOutput }, { signal }) {
      drain.check();
      return runExecution(dependencies, required(spec), streamOutput, signal);
    },
  };
}

function required<T>(spec: T | undefined): T {
  if (!spec) throw invalidField('spec', 'is required');
  return spec;
}
