import { DrydockError, hasReason } from '#libs/errors.ts';
import type { ExecutorDirectory } from '#libs/executor-directory.ts';
import type { CallOptions } from '#libs/grpc/rpc.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { AnyClient, Connections } from './connections.ts';
import type { Owner, PublicMethod } from './owners.ts';
import type { SandboxRoutes } from './sandbox-routes.ts';

const RETRY_AFTER_MS = 1_000;
/** An answer that takes longer will not come. Executions may be waited for 60 s, and running code may take an hour with many cases. */
const UNARY_LIMIT_MS: Record<Owner, number> = {
  auth: 30_000,
  session: 90_000,
  scheduler: 75 * 60_000,
  executor: 60_000,
};

export type Dependencies = {
  connections: Connections;
  addresses: Record<Exclude<Owner, 'executor'>, string>;
  directory: Pick<ExecutorDirectory, 'addressOf'>;
  routes: SandboxRoutes;
};

export type Origin = { caller: Caller; signal: AbortSignal };

/** Asks the owner: a promise or an async iterable, as the method has it. A client stream is an async iterable of requests. */
// biome-ignore lint/suspicious/noExplicitAny: messages of any type
export type Forward = (method: PublicMethod, request: any, origin: Origin) => any;

/** Who is asked; of executors, which one. */
type Target = { client: AnyClient; executorId?: string };

export function createForwarding(dependencies: Dependencies): Forward {
  const { connections, addresses, directory, routes } = dependencies;

  const executorOf = async (
    service: PublicMethod['service'],
    sandboxId: string,
    { caller }: Origin,
  ): Promise<Target> => {
    const executorId = await routes.find(caller, sandboxId);
    const address = await directory.addressOf(executorId);
    if (!address) {
      routes.doubt(caller, sandboxId);
      throw new DrydockError('SERVICE_UNAVAILABLE', "the sandbox's executor cannot be reached; try again", {
        retryAfterMs: RETRY_AFTER_MS,
      });
    }
    return { client: connections.to('executor', address, service), executorId };
  };

  const targetOf = async (method: PublicMethod, request: { sandboxId: string }, origin: Origin): Promise<Target> =>
    method.owner === 'executor'
      ? executorOf(method.service, request.sandboxId, origin)
      : { client: connections.to(method.owner, addresses[method.owner], method.service) };

  /** What an executor does not hold has stopped or is with another one, which session knows, or will know soon. */
  const explain = async (error: unknown, target: Target | undefined, sandboxId: string, { caller }: Origin) => {
    if (target?.executorId && hasReason(error, 'SANDBOX_NOT_FOUND', 'SANDBOX_STOPPED')) {
      routes.drop(caller, sandboxId);
      if (error.reason === 'SANDBOX_STOPPED') return error;
      return routes.find(caller, sandboxId).then(
        (executorId) => {
          if (executorId !== target.executorId) return moved();
          routes.drop(caller, sandboxId);
          return new DrydockError('SANDBOX_STOPPED', 'the sandbox has just stopped');
        },
        (truth) => (hasReason(truth, 'SERVICE_UNAVAILABLE') ? error : truth),
      );
    }
    // Another executor may have taken over what this one held.
    if (target?.executorId && hasReason(error, 'SERVICE_UNAVAILABLE')) routes.doubt(caller, sandboxId);
    if (hasReason(error, 'SERVICE_UNAVAILABLE') && error.details.retryAfterMs === undefined)
      return new DrydockError(error.reason, error.message, {
        ...error.details,
        retryAfterMs: RETRY_AFTER_MS,
        cause: error,
      });
    return error;
  };

  // biome-ignore lint/suspicious/noExplicitAny: messages of any type
  const single = async (method: PublicMethod, request: any, options: CallOptions & Origin) => {
    let target: Target | undefined;
    try {
      target = await targetOf(method, request, options);
      return await target.client[method.key]!(request, options);
    } catch (error) {
      throw await explain(error, target, request.sandboxId, options);
    }
  };

  return (method, request, origin) => {
    const { owner, key, method: definition } = method;
    if (definition.requestStream)
      return (async () => {
        const { first, all } = await peek<{ sandboxId: string }>(request);
        let target: Target | undefined;
        try {
          target = await targetOf(method, first, origin);
          return await target.client[key]!(all, origin);
        } catch (error) {
          throw await explain(error, target, first.sandboxId, origin);
        }
      })();
    if (!definition.responseStream) return single(method, request, { ...origin, deadlineMs: UNARY_LIMIT_MS[owner] });
    return (async function* () {
      let target: Target | undefined;
      try {
        target = await targetOf(method, request, origin);
        yield* target.client[key]!(request, origin);
      } catch (error) {
        throw await explain(error, target, request.sandboxId, origin);
      }
    })();
  };
}

function moved(): DrydockError {
  return new DrydockError('SERVICE_UNAVAILABLE', 'the sandbox is with another executor now; try again', {
    retryAfterMs: RETRY_AFTER_MS,
  });
}

/** The first message of a stream, and the stream as if nobody had looked. */
async function peek<T>(messages: AsyncIterable<T>): Promise<{ first: T; all: AsyncIterable<T> }> {
  const iterator = messages[Symbol.asyncIterator]();
  const { value: first, done } = await iterator.next();
  if (done) throw new DrydockError('MALFORMED_REQUEST', 'the stream ended before its first message');
  async function* all() {
    yield first;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  return { first, all: all() };
}
