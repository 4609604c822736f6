import { DrydockError } from '#libs/errors.ts';
import { type ClientOptions, createClient } from '#libs/grpc/client.ts';
import type { CallOptions, Client, Definition } from '#libs/grpc/rpc.ts';
import { boundAnswers } from './answers.ts';
import { AgentError } from './errors.ts';
import type { CountStream, StreamKind } from './stream-limits.ts';

// biome-ignore lint/suspicious/noExplicitAny: methods of any message
type Method = (request: unknown, options?: CallOptions) => any;

/** Kinds of a service's long-lived calls by method. Other calls last for milliseconds, and are not counted. */
export type Kinds<D extends Definition> = { readonly [Name in keyof D['methods']]?: StreamKind };

/** A client of one of an agent's services. Calls fail with an `AgentError`, or with TOO_MANY_STREAMS before they begin. */
export function createAgentClient<D extends Definition>(
  definition: D,
  address: string,
  { kinds, countStream, ...options }: ClientOptions & { kinds: Kinds<D>; countStream: CountStream },
): Client<D> & Disposable {
  const client = createClient(boundAnswers(definition), address, options);
  const methods = client as unknown as Record<string, Method>;
  const kindOf = kinds as Readonly<Record<string, StreamKind | undefined>>;
  const wrapped: Record<string, Method> = {};
  for (const [name, { responseStream }] of Object.entries(definition.methods)) {
    const call = methods[name]!;
    const kind = kindOf[name];
    const enter = (): Disposable | undefined => kind && countStream(kind);
    wrapped[name] = responseStream
      ? (request, options) => streaming(call, enter, request, options)
      : (request, options) => unary(call, enter, request, options);
  }
  return Object.assign(wrapped, { [Symbol.dispose]: () => client[Symbol.dispose]() }) as unknown as Client<D> &
    Disposable;
}

type Enter = () => Disposable | undefined;

async function unary(call: Method, enter: Enter, request: unknown, options?: CallOptions): Promise<unknown> {
  using _stream = enter();
  try {
    return await call(request, options);
  } catch (error) {
    throw toAgentError(error);
  }
}

async function* streaming(call: Method, enter: Enter, request: unknown, options?: CallOptions): AsyncIterable<unknown> {
  using _stream = enter();
  try {
    yield* call(request, options);
  } catch (error) {
    throw toAgentError(error);
  }
}

/** An abort of the caller's own signal stays as it is, and so does an error that the requests themselves threw. */
function toAgentError(error: unknown): unknown {
  const isOfCall =
    error instanceof DrydockError && (error.cause instanceof Error || error.reason === 'DEADLINE_TOO_SHORT');
  return isOfCall ? new AgentError(error) : error;
}
