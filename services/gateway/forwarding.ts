import { DrydockError, hasReason } from '#libs/errors.ts';
import type { ExecutorDirectory } from '#libs/executor-directory.ts';
import type { CallOptions } from '#libs/grpc/rpc.ts';
import { nameOfExecutor } from '#libs/grpc/tls.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { ByteClient, Connections } from './connections.ts';
import type { Contract } from './contract.ts';
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
  contract: Contract;
  connections: Connections;
  addresses: Record<Exclude<Owner, 'executor'>, string>;
  directory: Pick<ExecutorDirectory, 'addressOf'>;
  routes: SandboxRoutes;
};

export type Origin = { caller: Caller; signal: AbortSignal };

/** The bytes of one message, or a stream of them, each way as the method has it. */
export type Messages = Uint8Array | AsyncIterable<Uint8Array>;

/** Asks the owner of a method. Errors: the owner's, and SERVICE_UNAVAILABLE. */
export type Forward = (
  method: PublicMethod,
  request: Messages,
  origin: Origin,
) => Promise<Uint8Array> | AsyncIterable<Uint8Array>;

/** Who is asked; of executors, which one. */
type Target = { client: ByteClient; executorId?: string };

export function createForwarding(dependencies: Dependencies): Forward {
  const { contract } = dependencies;

  /** Asks the owner of the sandbox that a message names, which may be the first of a stream. */
  const single = async (method: PublicMethod, first: Uint8Array, request: Messages, options: CallOptions & Origin) => {
    const sandboxId = contract.of(method).sandboxIdOf(first);
    let target: Target | undefined;
    try {
      target = await findTarget(dependencies, method, sandboxId, options);
      return await target.client[method.key]!(request, options);
    } catch (error) {
      throw await explain(dependencies, error, target, sandboxId, options);
    }
  };

  async function* stream(method: PublicMethod, request: Uint8Array, origin: Origin): AsyncIterable<Uint8Array> {
    const sandboxId = contract.of(method).sandboxIdOf(request);
    let target: Target | undefined;
    try {
      target = await findTarget(dependencies, method, sandboxId, origin);
      yield* target.client[method.key]!(request, origin);
    } catch (error) {
      throw await explain(dependencies, error, target, sandboxId, origin);
    }
  }

  return (method, request, origin) => {
    const { owner } = method;
    if (!(request instanceof Uint8Array))
      return peek(request).then(({ first, all }) => single(method, first, all, origin));
    return method.method.responseStream
      ? stream(method, request, origin)
      : single(method, request, request, { ...origin, deadlineMs: UNARY_LIMIT_MS[owner] });
  };
}

async function findTarget(
  { connections, addresses, directory, routes }: Dependencies,
  { owner, service }: PublicMethod,
  sandboxId: string,
  { caller }: Origin,
): Promise<Target> {
  if (owner !== 'executor') return { client: connections.to(owner, addresses[owner], service) };
  const executorId = await routes.find(caller, sandboxId);
  const address = await directory.addressOf(executorId);
  if (address) return { client: connections.to(nameOfExecutor(executorId), address, service), executorId };
  routes.doubt(caller, sandboxId);
  throw new DrydockError('SERVICE_UNAVAILABLE', "the sandbox's executor cannot be reached; try again", {
    retryAfterMs: RETRY_AFTER_MS,
  });
}

/** The error that the caller gets: a sandbox that its executor does not hold has stopped or moved, as session knows, or will soon. */
async function explain(
  { routes }: Dependencies,
  error: unknown,
  target: Target | undefined,
  sandboxId: string,
  { caller }: Origin,
): Promise<unknown> {
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
