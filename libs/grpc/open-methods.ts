import { Metadata } from 'nice-grpc-common';
import { HealthDefinition, HealthServiceImpl, HealthState } from 'nice-grpc-server-health';
import { ServerReflection, ServerReflectionService } from 'nice-grpc-server-reflection';
import { DrydockError } from '#libs/errors.ts';
import type { AdmittedCall, PublicMethod } from '#libs/grpc/public-method.ts';
import type { Call } from '#libs/grpc/rpc.ts';

/** Bytes of all requests of one call. */
const MAX_BYTES = 64 * 1024;
/** Open streams of all connections; a call beyond them is refused. Only streams last long enough to count. */
const MAX_STREAMS = 1_000;
const MAX_STREAM_MS = 10 * 60_000;
const RETRY_AFTER_MS = 1_000;

type Codec = {
  decode(bytes: Uint8Array): unknown;
  encode(message: unknown): Uint8Array;
};
// biome-ignore lint/suspicious/noExplicitAny: handlers of any message
type Handler = (request: any, context: any) => any;

/** Health and reflection of some services: methods without authentication, within small limits. */
export function openMethods(
  methods: readonly PublicMethod[],
  descriptors: Uint8Array,
): { methods: PublicMethod[]; stopping(): void } {
  const names = [...new Set(methods.map(({ path }) => path.split('/')[1]!))];
  const state = HealthState();
  state.setStatus('healthy');
  for (const name of names) state.setStatus('healthy', name);
  const health = HealthServiceImpl(state) as unknown as Record<string, Handler>;
  const reflection = ServerReflection(descriptors, [...names, HealthDefinition.fullName]) as unknown as Record<
    string,
    Handler
  >;
  const streams = countStreams();
  return {
    methods: [
      ...Object.entries(HealthDefinition.methods).map(([key, { name, requestType, responseType, ...method }]) =>
        openMethod(`/${HealthDefinition.fullName}/${name}`, method, health[key]!.bind(health), streams, {
          decode: (bytes) => requestType.decode(bytes),
          encode: (message) => responseType.encode(message as never).finish(),
        }),
      ),
      ...Object.entries(ServerReflectionService).map(
        ([key, { path, requestDeserialize, responseSerialize, ...method }]) =>
          openMethod(path, method, reflection[key]!.bind(reflection), streams, {
            decode: (bytes) => requestDeserialize(Buffer.from(bytes)),
            encode: (message) => responseSerialize(message as never),
          }),
      ),
    ],
    stopping() {
      for (const name of ['', ...names]) state.setStatus('unhealthy', name);
    },
  };
}

function countStreams() {
  let live = 0;
  return {
    begin(): Disposable {
      if (live >= MAX_STREAMS)
        throw new DrydockError('SERVICE_UNAVAILABLE', 'too many streams of health and reflection are open; try again', {
          retryAfterMs: RETRY_AFTER_MS,
        });
      live += 1;
      return {
        [Symbol.dispose]() {
          live -= 1;
        },
      };
    },
  };
}

function openMethod(
  path: string,
  { requestStream, responseStream }: Pick<PublicMethod, 'requestStream' | 'responseStream'>,
  handler: Handler,
  streams: ReturnType<typeof countStreams>,
  { decode, encode }: Codec,
): PublicMethod {
  const decoded = (bytes: Uint8Array) => {
    try {
      return decode(bytes);
    } catch (cause) {
      throw new DrydockError('MALFORMED_REQUEST', 'the bytes are not the message that the method takes', { cause });
    }
  };
  const admit = async ({ signal, peer, metadata }: Call): Promise<AdmittedCall> => {
    const counted = responseStream ? streams.begin() : undefined;
    const until = responseStream ? AbortSignal.any([signal, AbortSignal.timeout(MAX_STREAM_MS)]) : signal;
    const context = { signal: until, peer, metadata, header: Metadata(), trailer: Metadata(), sendHeader() {} };
    let bytes = 0;
    return {
      arrived(more) {
        bytes += more;
        if (bytes > MAX_BYTES)
          throw new DrydockError('REQUEST_TOO_LARGE', `the requests are larger than ${MAX_BYTES} bytes together`);
      },
      passedOn() {},
      answer(request) {
        const given = Symbol.asyncIterator in request ? mapped(request, decoded) : decoded(request);
        const answer = handler(given, context);
        return responseStream ? mapped(answer, encode) : answer.then(encode);
      },
      [Symbol.dispose]: () => counted?.[Symbol.dispose](),
    };
  };
  return { path, requestStream, responseStream, admit };
}

async function* mapped<A, B>(messages: AsyncIterable<A>, change: (message: A) => B): AsyncIterable<B> {
  for await (const message of messages) yield change(message);
}
