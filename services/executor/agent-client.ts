import { DrydockError } from '#libs/errors.ts';
import { type ClientOptions, createClient } from '#libs/grpc/client.ts';
import type { CallOptions, Client, Definition } from '#libs/grpc/rpc.ts';
import { AgentError } from './agent-errors.ts';

// biome-ignore lint/suspicious/noExplicitAny: methods of any message
type Method = (request: unknown, options?: CallOptions) => any;

/** A client of one of an agent's services, whose calls fail with an `AgentError`. */
export function createAgentClient<D extends Definition>(
  definition: D,
  address: string,
  options: ClientOptions,
): Client<D> & Disposable {
  const client = createClient(definition, address, options);
  const methods = client as unknown as Record<string, Method>;
  const wrapped: Record<string, Method> = {};
  for (const [name, { responseStream }] of Object.entries(definition.methods)) {
    const call = methods[name]!;
    wrapped[name] = responseStream
      ? (request, options) => streaming(call, request, options)
      : (request, options) => unary(call, request, options);
  }
  return Object.assign(wrapped, { [Symbol.dispose]: () => client[Symbol.dispose]() }) as unknown as Client<D> &
    Disposable;
}

async function unary(call: Method, request: unknown, options?: CallOptions): Promise<unknown> {
  try {
    return await call(request, options);
  } catch (error) {
    throw toAgentError(error);
  }
}

async function* streaming(call: Method, request: unknown, options?: CallOptions): AsyncIterable<unknown> {
  try {
    yield* call(request, options);
  } catch (error) {
    throw toAgentError(error);
  }
}

/** An abort of the caller's own signal stays as it is. */
function toAgentError(error: unknown): unknown {
  return error instanceof DrydockError ? new AgentError(error) : error;
}
