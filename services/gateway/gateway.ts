import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Call, Definition } from '#libs/grpc/rpc.ts';
import { type ServedService, service } from '#libs/grpc/server.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { Authenticate } from './authentication.ts';
import type { Forward } from './forwarding.ts';
import { PUBLIC_METHODS, type PublicMethod } from './owners.ts';
import type { RateLimit } from './rate-limit.ts';
import type { Revocations } from './revocations.ts';

export type Dependencies = {
  authenticate: Authenticate;
  revocations: Pick<Revocations, 'begin'>;
  /** Calls of each organisation. */
  rateLimit: RateLimit;
  forward: Forward;
};

/** A call whose caller is known and may make it. `signal` is aborted when the client leaves or its key is revoked. */
export type Admitted = { caller: Caller; signal: AbortSignal; revoked: AbortSignal } & Disposable;

/** What both transports do with a call: admit it, before its body is read, and forward it. */
export type Gateway = {
  /** Errors: CREDENTIAL_INVALID, RATE_LIMITED, SCOPE_MISSING, SERVICE_UNAVAILABLE. */
  admit(method: PublicMethod, call: Call): Promise<Admitted>;
  /** Asks the owner: a promise or an async iterable, as the method has it. */
  // biome-ignore lint/suspicious/noExplicitAny: messages of any type
  forward(method: PublicMethod, request: any, admitted: Admitted): any;
};

export function createGateway({ authenticate, revocations, rateLimit, forward }: Dependencies): Gateway {
  return {
    async admit({ scope }, { metadata, signal }) {
      const caller = await authenticate(metadata.getAll('authorization').map(String));
      const retryAfterMs = rateLimit.take(caller.organizationId);
      if (retryAfterMs > 0)
        throw new DrydockError('RATE_LIMITED', 'the organisation makes too many calls', { retryAfterMs });
      if (scope !== 'any' && !caller.scopes.includes(scope))
        throw new DrydockError('SCOPE_MISSING', `the credential lacks the scope '${scope}'`, { metadata: { scope } });
      // Nothing is begun for who has left meanwhile, or whose deadline has passed.
      signal.throwIfAborted();
      const live = revocations.begin(caller);
      return {
        caller,
        revoked: live.signal,
        signal: AbortSignal.any([signal, live.signal]),
        [Symbol.dispose]: () => live[Symbol.dispose](),
      };
    },
    forward(method, request, { caller, signal, revoked }) {
      const answer = forward(method, request, { caller, signal });
      return method.method.responseStream
        ? streamUntil(answer, revoked)
        : answer.catch((error: unknown) => fail(error, revoked));
    },
  };
}

/** The public services for gRPC: every method admits and forwards. */
export function publicServices(gateway: Gateway): ServedService[] {
  const definitions = new Set<Definition>(PUBLIC_METHODS.map(({ service }) => service));
  return [...definitions].map((definition) => {
    const methods = PUBLIC_METHODS.filter((method) => method.service === definition);
    return service(definition, Object.fromEntries(methods.map((method) => [method.key, handlerOf(gateway, method)])));
  });
}

// biome-ignore lint/suspicious/noExplicitAny: handlers of any message
function handlerOf(gateway: Gateway, method: PublicMethod): any {
  if (method.method.responseStream)
    return async function* (request: unknown, call: Call) {
      using admitted = await gateway.admit(method, call);
      yield* gateway.forward(method, request, admitted);
    };
  return async (request: unknown, call: Call) => {
    using admitted = await gateway.admit(method, call);
    return await gateway.forward(method, request, admitted);
  };
}

async function* streamUntil(events: AsyncIterable<unknown>, revoked: AbortSignal): AsyncIterable<unknown> {
  try {
    yield* events;
  } catch (error) {
    fail(error, revoked);
  }
}

/** A call that a revocation cut off fails with that, whatever its owner made of it. */
function fail(error: unknown, revoked: AbortSignal): never {
  throw revoked.aborted && hasReason(revoked.reason, 'CREDENTIAL_INVALID') ? revoked.reason : error;
}
