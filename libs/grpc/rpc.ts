import type { Metadata } from 'nice-grpc-common';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';

/** A service as ts-proto describes it. */
export type Definition = { readonly fullName: string; readonly methods: Record<string, MethodDefinition> };

export type MethodDefinition = {
  readonly name: string;
  readonly requestType: Codec;
  readonly requestStream: boolean;
  readonly responseType: Codec;
  readonly responseStream: boolean;
};

// biome-ignore lint/suspicious/noExplicitAny: the one place where a message of any type is named
type Codec<T = any> = {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
};

type Message<C> = C extends { decode(...args: never[]): infer T } ? T : never;

/** The context of a call. A handler propagates it by passing `signal` and `caller` on. */
export type Call = {
  /** Aborted when the caller hangs up or its deadline passes. */
  readonly signal: AbortSignal;
  /** On whose behalf; absent on public calls before authentication. */
  readonly caller?: Caller | undefined;
  /** Address of the peer. */
  readonly peer: string;
  readonly metadata: Metadata;
  /** Id of the client's request, for answers and logs. */
  readonly requestId?: string | undefined;
};

export type CallOptions = {
  readonly signal?: AbortSignal;
  readonly caller?: Caller | undefined;
  /** How long the call may take. Default: as long as `signal` lets it. */
  readonly deadlineMs?: number;
};

type Handler<M extends MethodDefinition, Context> = M['requestStream'] extends true
  ? M['responseStream'] extends true
    ? (requests: AsyncIterable<Message<M['requestType']>>, call: Context) => AsyncIterable<Message<M['responseType']>>
    : (requests: AsyncIterable<Message<M['requestType']>>, call: Context) => Promise<Message<M['responseType']>>
  : M['responseStream'] extends true
    ? (request: Message<M['requestType']>, call: Context) => AsyncIterable<Message<M['responseType']>>
    : (request: Message<M['requestType']>, call: Context) => Promise<Message<M['responseType']>>;

/** A service's methods: what a server implements, with its `Call`. */
export type Rpc<D extends Definition> = { [Name in keyof D['methods']]: Handler<D['methods'][Name], Call> };

/** The same methods as a client has them. */
export type Client<D extends Definition> = {
  [Name in keyof D['methods']]: Handler<D['methods'][Name], CallOptions | undefined> extends (
    request: infer Request,
    call: infer _,
  ) => infer Response
    ? (request: Request, call?: CallOptions) => Response
    : never;
};

/** Metadata that carries the `Caller` between services. */
export const CALLER_METADATA = 'drydock-caller-bin';

/** Header and metadata of every public answer: the id of its request. */
export const REQUEST_ID_HEADER = 'x-request-id';

/** Bytes of the largest request from a client: a 16 MiB body and its envelope. */
export const MAX_PUBLIC_MESSAGE_BYTES = 20 * 1024 * 1024;

/** Bytes of the largest message between services: outputs of an execution as text, where a byte may become three. */
export const MAX_MESSAGE_BYTES = 48 * 1024 * 1024;

/**
 * The last message of every stream of requests between services: that a stream has ended does not make it whole, since
 * Node also ends one before it cancels its call. Its field, 19000, is one that protobuf lets nobody define.
 */
export const END_OF_REQUESTS: Uint8Array = Buffer.from([0xc0, 0xa3, 0x09, 0x01]);

export function methodPath(definition: Definition, method: MethodDefinition): string {
  return `/${definition.fullName}/${method.name}`;
}
