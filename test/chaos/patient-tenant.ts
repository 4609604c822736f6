import { hasReason } from '#libs/errors.ts';
import type { Quota } from '#proto/drydock/v1/auth.ts';
import { type Execution, SubmitExecutionRequest } from '#proto/drydock/v1/execution.ts';
import type { Platform } from '../../deploy/local/platform.ts';
import { connectGrpc } from '../support/api.ts';

const RETRY_MS = 100;

export type Tenant = Disposable & {
  /** Puts a program into the queue, as often as it takes: the request id makes it one. */
  submit(requestId: string, source: string): Promise<string>;
  /** Waits for an execution to end, as often as it takes. */
  ended(executionId: string): Promise<Execution>;
  api: ReturnType<typeof connectGrpc>;
};

/** An organisation of its own whose client tries again, as a client should. */
export async function newTenant(platform: Platform, quota: Partial<Quota> = {}): Promise<Tenant> {
  using operator = connectGrpc(platform, platform.apiKey);
  const made = await operator.auth.createOrganization({ displayName: 'tenant', quota, requestId: '' });
  const api = connectGrpc(platform, made.secret);
  return {
    api,
    async submit(requestId, source) {
      const request = SubmitExecutionRequest.create({ language: 'python', source, requestId });
      return (await again(() => api.executions.submitExecution(request))).execution!.id;
    },
    async ended(executionId) {
      for (;;) {
        const wait = { seconds: 30, nanos: 0 };
        const { execution } = await again(() => api.executions.getExecution({ executionId, wait }));
        if (execution?.state === 'FINISHED' || execution?.state === 'CANCELLED') return execution;
      }
    },
    [Symbol.dispose]: () => api[Symbol.dispose](),
  };
}

/** Tries until it succeeds or is refused for good. */
async function again<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!hasReason(error, 'SERVICE_UNAVAILABLE', 'DEADLINE_TOO_SHORT', 'QUEUE_FULL', 'INTERNAL')) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}
