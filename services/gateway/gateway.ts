import { DrydockError, hasReason } from '#libs/errors.ts';
import type { PublicMethod as ServedMethod } from '#libs/grpc/public-method.ts';
import { type Call, methodPath } from '#libs/grpc/rpc.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { Authenticate } from './authentication.ts';
import type { Contract } from './contract.ts';
import type { Forward, Messages } from './forwarding.ts';
import type { Holding, InFlight } from './in-flight.ts';
import type { Scan } from './message-scan.ts';
import { PUBLIC_METHODS, type PublicMethod } from './owners.ts';
import type { RateLimit } from './rate-limit.ts';
import type { Revocations } from './revocations.ts';

export type Dependencies = {
  authenticate: Authenticate;
  revocations: Pick<Revocations, 'begin'>;
  /** Calls of each organisation. */
  rateLimit: RateLimit;
  inFlight: InFlight;
  contract: Contract;
  forward: Forward;
};

/** A call whose caller is known and may make it. `signal` is aborted when the client leaves or its key is revoked; `held` are its bytes. */
export type Admitted = { caller: Caller; signal: AbortSignal; revoked: AbortSignal; held: Holding } & Disposable;

/** What both transports do with a call: admit it, before a byte of its body is read, and forward it. */
export type Gateway = {
  /** Errors: CREDENTIAL_INVALID, RATE_LIMITED, SCOPE_MISSING, SERVICE_UNAVAILABLE. */
  admit(method: PublicMethod, call: Call): Promise<Admitted>;
  /** Asks the owner. Errors: those of `Scan`, and the owner's. */
  forward(method: PublicMethod, request: Messages, admitted: Admitted): Promise<Uint8Array> | AsyncIterable<Uint8Array>;
};

export function createGateway(dependencies: Dependencies): Gateway {
  const { authenticate, revocations, rateLimit, inFlight, contract, forward } = dependencies;
  return {
    async admit({ scope }, { metadata, peer, signal, requestId = '' }) {
      const caller = await authenticate(metadata.get('authorization'));
      using parts = new DisposableStack();
      // First: a credential that was revoked spends nothing of what the organisation may do.
      const live = parts.use(revocations.begin(caller));
      const retryAfterMs = rateLimit.take(caller.organizationId);
      if (retryAfterMs > 0)
        throw new DrydockError('RATE_LIMITED', 'the organisation makes too many calls', { retryAfterMs });
      if (scope !== 'any' && !caller.scopes.includes(scope))
        throw new DrydockError('SCOPE_MISSING', `the credential lacks the scope '${scope}'`, { metadata: { scope } });
      // Nothing is kept for a client that has left meanwhile, or whose deadline has passed.
      signal.throwIfAborted();
      const held = parts.use(inFlight.open(peer, caller.organizationId));
      const admitted = parts.move();
      return {
        caller: { ...caller, requestId },
        held,
        revoked: live.signal,
        signal: AbortSignal.any([signal, live.signal]),
        [Symbol.dispose]: () => admitted.dispose(),
      };
    },
    forward(method, request, { caller, signal, revoked, held }) {
      const { scan } = contract.of(method);
      const answer = forward(method, scanned(request, scan), { caller, signal });
      if (Symbol.asyncIterator in answer) return streamUntil(answer, revoked);
      return answer.then(
        (response) => {
          held.owe(response.length);
          return response;
        },
        (error: unknown) => fail(error, revoked),
      );
    },
  };
}

/** The public methods for gRPC: each admits and forwards. */
export function servedMethods(gateway: Gateway): ServedMethod[] {
  return PUBLIC_METHODS.map((method) => {
    const { requestStream, responseStream } = method.method;
    return {
      path: methodPath(method.service, method.method),
      requestStream,
      responseStream,
      async admit(call) {
        const admitted = await gateway.admit(method, call);
        const { held } = admitted;
        return {
          arrived: held.take,
          passedOn: held.give,
          answer: (request) => gateway.forward(method, request, admitted),
          [Symbol.dispose]: admitted[Symbol.dispose],
        };
      },
    };
  });
}

function scanned(request: Messages, scan: Scan): Messages {
  if (!(request instanceof Uint8Array)) return scannedEach(request, scan);
  scan(request);
  return request;
}

async function* scannedEach(messages: AsyncIterable<Uint8Array>, scan: Scan): AsyncIterable<Uint8Array> {
  for await (const message of messages) {
    scan(message);
    yield message;
  }
}

async function* streamUntil(messages: AsyncIterable<Uint8Array>, revoked: AbortSignal): AsyncIterable<Uint8Array> {
  try {
    yield* messages;
  } catch (error) {
    fail(error, revoked);
  }
}

/** A call that a revocation cut off fails with that, whatever its owner made of it. */
function fail(error: unknown, revoked: AbortSignal): never {
  throw revoked.aborted && hasReason(revoked.reason, 'CREDENTIAL_INVALID') ? revoked.reason : error;
}
