import { DrydockError, hasReason } from '#libs/errors.ts';
import type { ExecutorDirectory } from '#libs/executor-directory.ts';
import type { CallOptions, Client, Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import type { Logger } from '#libs/log.ts';
import type { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Sandbox, SandboxServiceDefinition } from '#proto/drydock/v1/sandbox.ts';
import type { ExecutorClient, Executors } from './executors.ts';
import { withGrace } from './grace.ts';
import { place } from './placement.ts';

const CLAIM_DEADLINE_MS = 60_000;
const CALL_DEADLINE_MS = 10_000;

export type Dependencies = {
  session: Client<RecordServiceDefinition>;
  executors: Executors;
  /** Every executor that is alive. */
  directory: Pick<ExecutorDirectory, 'list' | 'known'>;
  log: Logger;
};

type Sandboxes = Pick<Rpc<SandboxServiceDefinition>, 'createSandbox' | 'updateSandbox' | 'deleteSandbox'>;

/** The steps of a sandbox's life, in an order that leaves nothing behind if it is interrupted. */
export function createSandboxes(dependencies: Dependencies): Sandboxes {
  const { session, executors, directory, log } = dependencies;
  const executorOf = (executorId: string): ExecutorClient | undefined => {
    const found = directory.known(executorId);
    return found && executors.at(found);
  };

  return {
    async createSandbox(request, call) {
      const caller = callerOf(call);
      const options = { caller, deadlineMs: CALL_DEADLINE_MS };
      // Session answers a repeated request when the first sandbox runs.
      const deadlineMs = request.requestId ? CLAIM_DEADLINE_MS : CALL_DEADLINE_MS;
      using patient = withGrace(call.signal, CALL_DEADLINE_MS);
      const insertion = { ...options, signal: patient.signal, deadlineMs };
      const { sandbox, spec, repeatedRequest } = await session.insertSandbox({ request }, insertion);
      if (repeatedRequest) return { sandbox };
      const started = await start(dependencies, spec!, options).catch(async (error) => {
        await session
          .markSandboxStopped({ sandboxId: sandbox!.id, reason: 'FAILED_TO_START' }, options)
          .catch((cause) => log.error({ err: cause, sandboxId: sandbox!.id }, 'failed to record a failed start'));
        throw error;
      });
      // A caller that hung up never learns the id, unless it can repeat the request.
      if (call.signal.aborted && !request.requestId)
        await this.deleteSandbox({ sandboxId: started.id, requestId: '' }, call);
      return { sandbox: started };
    },

    async updateSandbox(request, call) {
      const options = { caller: callerOf(call), signal: call.signal, deadlineMs: CALL_DEADLINE_MS };
      const { sandbox, executorId } = await session.changeSandbox({ request }, options);
      if (sandbox?.state === 'RUNNING')
        await executorOf(executorId)?.extendSandbox({ sandboxId: sandbox.id, expireTime: sandbox.expireTime }, options);
      return { sandbox };
    },

    async deleteSandbox({ sandboxId }, call) {
      const options = { caller: callerOf(call), deadlineMs: CALL_DEADLINE_MS };
      const { executorId } = await session.markSandboxStopped({ sandboxId, reason: 'DELETED' }, options);
      // Session's event reaches the executor too: one that is away destroys the sandbox when it is back.
      await executorOf(executorId)
        ?.destroySandbox({ sandboxId }, options)
        .catch((error) => log.warn({ err: error, sandboxId, executorId }, 'sandbox not destroyed yet'));
      return {};
    },
  };
}

/** Claims a sandbox on an executor and puts it on record as running. */
function start(dependencies: Dependencies, spec: SandboxSpec, options: CallOptions): Promise<Sandbox> {
  const { session, executors, directory, log } = dependencies;
  const { sandboxId } = spec;
  const own = spec.tenancy?.sharedPool === false ? { ownPoolOf: spec.organizationId } : {};
  const demand = { template: spec.template, memoryBytes: spec.limits?.memoryBytes ?? 0, ...own };
  return place(directory.list(), demand, log, async (candidate) => {
    const { executorId } = candidate;
    const executor = executors.at(candidate);
    await executor.claimSandbox({ spec }, { ...options, deadlineMs: CLAIM_DEADLINE_MS });
    try {
      const { sandbox } = await session.markSandboxRunning({ sandboxId, executorId }, options);
      // The answer goes out first.
      setImmediate(confirm, dependencies, executor, sandboxId, options);
      return sandbox!;
    } catch (error) {
      void abandon(dependencies, executor, sandboxId, options);
      // Another executor would fail in the same way: it is the record that could not be written.
      if (hasReason(error, 'SERVICE_UNAVAILABLE', 'DEADLINE_TOO_SHORT'))
        throw new DrydockError('SANDBOX_STOPPED', 'the sandbox was lost while it was starting; create another', {
          cause: error,
        });
      throw error;
    }
  });
}

/** Never awaited: session's event confirms too. If neither arrives, the executor ends the sandbox and reports it. */
async function confirm({ log }: Dependencies, executor: ExecutorClient, sandboxId: string, options: CallOptions) {
  await executor
    .confirmSandbox({ sandboxId }, options)
    .catch((error) => log.warn({ err: error, sandboxId }, 'sandbox not confirmed yet'));
}

/** An unconfirmed claim expires by itself; destroying the sandbox frees its capacity at once. */
async function abandon({ log }: Dependencies, executor: ExecutorClient, sandboxId: string, options: CallOptions) {
  await executor
    .destroySandbox({ sandboxId }, options)
    .catch((error) => log.warn({ err: error, sandboxId }, 'abandoned sandbox not destroyed yet'));
}
