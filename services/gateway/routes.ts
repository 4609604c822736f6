import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Events } from '#libs/events.ts';
import type { ExecutorDirectory } from '#libs/executor-directory.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { SandboxChanged } from '#proto/drydock/internal/v1/events.ts';
import type { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { createBoundedMap } from './bounded-map.ts';

const CHANGED_SUBJECT = 'drydock.session.sandbox.changed';
const CACHED_ROUTES = 100_000;
const DEADLINE_MS = 5_000;

export type Routes = Disposable & {
  /** host:port of the executor that holds a sandbox. Errors: SANDBOX_NOT_FOUND, SANDBOX_NOT_RUNNING, SERVICE_UNAVAILABLE. */
  addressOf(sandboxId: string, caller: Caller): Promise<string>;
  /** What to tell a caller whose executor knew no such sandbox, or told that it stopped: session's word, where it has one. */
  explain(error: unknown, sandboxId: string, caller: Caller): Promise<unknown>;
};

/** Where sandboxes are: session's word, kept until an event or an executor says otherwise, so that session may be away. */
export function createRoutes(dependencies: {
  session: Client<RecordServiceDefinition>;
  directory: ExecutorDirectory;
  events: Events;
}): Routes {
  const { session, directory, events } = dependencies;
  const cached = createBoundedMap<string, string>(CACHED_ROUTES);
  const keyOf = (organizationId: string, sandboxId: string) => `${organizationId}/${sandboxId}`;
  const subscription = events.subscribe(CHANGED_SUBJECT, (data) => {
    const { organizationId, sandboxId, state } = SandboxChanged.decode(data);
    if (state !== 'RUNNING') cached.delete(keyOf(organizationId, sandboxId));
  });

  const executorOf = async (sandboxId: string, caller: Caller): Promise<string> => {
    const { executorId } = await session.getRoute({ sandboxId }, { caller, deadlineMs: DEADLINE_MS });
    return executorId;
  };

  return {
    async addressOf(sandboxId, caller) {
      const key = keyOf(caller.organizationId, sandboxId);
      const executorId = cached.get(key) ?? (await executorOf(sandboxId, caller));
      cached.set(key, executorId);
      const address = directory.addressOf(executorId);
      if (address) return address;
      throw new DrydockError('SERVICE_UNAVAILABLE', 'the sandbox’s executor cannot be reached; try again', { retryAfterMs: 1_000 });
    },
    async explain(error, sandboxId, caller) {
      if (!hasReason(error, 'SANDBOX_NOT_FOUND', 'SANDBOX_STOPPED')) return error;
      cached.delete(keyOf(caller.organizationId, sandboxId));
      if (error.reason === 'SANDBOX_STOPPED') return error;
      return executorOf(sandboxId, caller).then(
        () => new DrydockError('SANDBOX_STOPPED', 'the sandbox stopped'),
        (word) => word,
      );
    },
    [Symbol.dispose]: () => subscription[Symbol.dispose](),
  };
}
