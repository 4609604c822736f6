// biome-ignore lint/suspicious/noExplicitAny: messages of any type
type Codec<T = any> = {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
  create(): T;
};
export type Message<C> = C extends Codec<infer T> ? T : never;
export type Method = { readonly name: string; readonly requestType: Codec; readonly responseType: Codec };

/** One method, with the name of its service. */
export type Bound<M extends Method> = { service: string; method: M };

/** One try of a call. */
export type Try = {
  credential: string;
  /** Milliseconds since 1970. */
  deadline: number | undefined;
  signal: AbortSignal;
  /** Of the caller's trace. */
  trace: Readonly<Record<string, string>>;
};

/**
 * Carries one try of a call to the platform. What fails is a DrydockError, or the reason of the signal where that was aborted.
 * `stream`: leaving the iteration ends the call. `upload` ends with the call, though `requests` may be silent then.
 */
export type Transport = {
  unary<M extends Method>(
    call: Try,
    method: Bound<M>,
    request: Message<M['requestType']>,
  ): Promise<Message<M['responseType']>>;
  stream<M extends Method>(
    call: Try,
    method: Bound<M>,
    request: Message<M['requestType']>,
  ): AsyncGenerator<Message<M['responseType']>, void, undefined>;
  upload<M extends Method>(
    call: Try,
    method: Bound<M>,
    requests: AsyncIterable<Message<M['requestType']>>,
  ): Promise<Message<M['responseType']>>;
  close(): void;
};
