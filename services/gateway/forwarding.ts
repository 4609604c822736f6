import { DrydockError, invalidField } from '#libs/errors.ts';
import type { Call, Client, Definition } from '#libs/grpc/rpc.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { type Owner, PUBLIC_SERVICES, type PublicService, type Scope } from './api.ts';
import type { Authentication } from './authentication.ts';
import type { Limiter } from './rate-limit.ts';
import type { Routes } from './routes.ts';

// biome-ignore lint/suspicious/noExplicitAny: messages of any method
type Message = any;

/** A public method, whatever its kind: a promise or a stream of responses for a request or a stream of them. */
export type Handler = (request: Message, call: Call) => Message;

export type Dependencies = {
  authentication: Authentication;
  routes: Routes;
  limiter: Limiter;
  /** A client of a service at its owner, at `address` where that is an executor. */
  clientOf(definition: Definition, owner: Owner, address?: string): Client<Definition>;
};

type Entered = { caller: Caller; signal: AbortSignal };

/** Handlers of every public method: who is it, may they, and then on to the owner of the method. */
export function createForwarding(dependencies: Dependencies): Map<Definition, Record<string, Handler>> {
  return new Map(PUBLIC_SERVICES.map((service) => [service.definition, handlersOf(service, dependencies)]));
}

function handlersOf({ definition, scope, owner, others }: PublicService, dependencies: Dependencies) {
  const handlers: Record<string, Handler> = {};
  for (const [name, { requestStream, responseStream }] of Object.entries(definition.methods)) {
    const owned = others?.[name] ?? owner;
    const enter = (call: Call) => authorize(call, scope, dependencies);
    const target = owned === 'executor' ? executorTarget(definition, dependencies) : fixedTarget(definition, owned, dependencies);
    const forward = { name, enter, target };
    if (requestStream) handlers[name] = (requests, call) => forwardRequests(forward, requests, call);
    else if (responseStream) handlers[name] = (request, call) => forwardResponses(forward, request, call);
    else handlers[name] = (request, call) => forwardUnary(forward, request, call);
  }
  return handlers;
}

type Target = {
  clientFor(request: Message, caller: Caller): Promise<Client<Definition>>;
  explain(error: unknown, request: Message, caller: Caller): Promise<unknown>;
};

type Forward = { name: string; enter: (call: Call) => Promise<Entered>; target: Target };

function fixedTarget(definition: Definition, owner: Owner, { clientOf }: Dependencies): Target {
  return { clientFor: async () => clientOf(definition, owner), explain: async (error) => error };
}

function executorTarget(definition: Definition, { clientOf, routes }: Dependencies): Target {
  return {
    async clientFor({ sandboxId }, caller) {
      if (!sandboxId) throw invalidField('sandboxId', 'is required');
      return clientOf(definition, 'executor', await routes.addressOf(sandboxId, caller));
    },
    explain: (error, { sandboxId }, caller) => routes.explain(error, sandboxId, caller),
  };
}

async function authorize(call: Call, scope: Scope, { authentication, limiter }: Dependencies): Promise<Entered> {
  const { caller, revoked } = await authentication.authenticate(call.metadata.get('authorization'), call.peer);
  if (scope && !caller.scopes.includes(scope))
    throw new DrydockError('SCOPE_MISSING', `the credential lacks the scope '${scope}'`, { metadata: { scope } });
  limiter.check(caller.organizationId);
  return { caller, signal: AbortSignal.any([call.signal, revoked]) };
}

async function forwardUnary({ name, enter, target }: Forward, request: Message, call: Call): Promise<Message> {
  const options = await enter(call);
  const client = await target.clientFor(request, options.caller);
  try {
    return await (client[name] as Handler)(request, options as Message);
  } catch (error) {
    throw await target.explain(orRevoked(error, call, options), request, options.caller);
  }
}

async function* forwardResponses({ name, enter, target }: Forward, request: Message, call: Call): AsyncIterable<Message> {
  const options = await enter(call);
  const client = await target.clientFor(request, options.caller);
  try {
    yield* (client[name] as Handler)(request, options as Message);
  } catch (error) {
    throw await target.explain(orRevoked(error, call, options), request, options.caller);
  }
}

async function forwardRequests({ name, enter, target }: Forward, requests: AsyncIterable<Message>, call: Call): Promise<Message> {
  const options = await enter(call);
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) throw new DrydockError('MALFORMED_REQUEST', 'the stream of requests is empty');
  async function* all() {
    yield first.value;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  const client = await target.clientFor(first.value, options.caller);
  try {
    return await (client[name] as Handler)(all(), options as Message);
  } catch (error) {
    throw await target.explain(orRevoked(error, call, options), first.value, options.caller);
  }
}

/** A call that was cut because its key was revoked says so; one whose caller hung up says nothing to anybody. */
function orRevoked(error: unknown, call: Call, { signal }: Entered): unknown {
  return signal.aborted && !call.signal.aborted ? signal.reason : error;
}
