import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { fromGrpc, idIn } from './grpc-errors.ts';
import type { Settings } from './settings.ts';
import type { Bound, Message, Method, Transport, Try } from './transport.ts';
import { VERSION } from './version.ts';

/** Bytes of the largest answer. */
const MAX_MESSAGE_BYTES = 48 * 1024 * 1024;
/** What a server is told that is reached by an IP address. */
const NAME_OF_ADDRESS = 'address.invalid';

/** Calls by gRPC, over one connection that is made at the first call and again whenever it breaks. */
export function openGrpc(settings: Settings, ca: string | Uint8Array | undefined): Transport {
  const client = openClient(settings, ca);
  const channel = { client, url: settings.url };
  return {
    unary: (call, bound, request) => unaryOnce({ ...call, ...channel }, bound, request),
    stream: (call, bound, request) => streamOnce({ ...call, ...channel }, bound, request),
    upload: (call, bound, requests) => uploadOnce({ ...call, ...channel }, bound, requests),
    close: () => client.close(),
  };
}

function openClient({ address, tls, url }: Settings, ca: string | Uint8Array | undefined): Client {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const isAddress = tls && isIP(host) > 0;
  const verify = isAddress
    ? { checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate) }
    : {};
  const channel = tls
    ? credentials.createSsl(ca === undefined ? null : Buffer.from(ca), null, null, verify)
    : credentials.createInsecure();
  return new Client(address, channel, {
    'grpc.primary_user_agent': `drydock-typescript/${VERSION}`,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    'grpc.use_local_subchannel_pool': 1,
    // TLS names no addresses, and Node refuses to; the certificate is held against the address above.
    ...(isAddress ? { 'grpc.ssl_target_name_override': NAME_OF_ADDRESS } : {}),
  });
}

type Call = Try & { client: Client; url: string };

const pathOf = ({ service, method }: Bound<Method>) => `/${service}/${method.name}`;

function headers({ credential, deadline, trace }: Try): [Metadata, { deadline?: number }] {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${credential}`);
  for (const [name, value] of Object.entries(trace)) metadata.set(name, value);
  return [metadata, deadline === undefined ? {} : { deadline }];
}

const toBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const encoder =
  ({ requestType }: Method) =>
  (message: unknown) =>
    toBuffer(requestType.encode(message).finish());
const decoder =
  ({ responseType }: Method) =>
  (bytes: Buffer) =>
    responseType.decode(bytes);

/** A call that can be ended, and says which request it was. */
type Cancellable = { cancel(): void; on(event: 'metadata', listener: (metadata: Metadata) => void): unknown };

/** Follows a call until it is `over`: it ends with the caller's signal, and its error is as callers know them. */
function follow({ signal, url }: Call, call: Cancellable): { over(): void; explain(error: unknown): unknown } {
  let requestId: string | undefined;
  call.on('metadata', (metadata) => {
    requestId = idIn(metadata);
  });
  const cancel = () => call.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return {
    over: () => signal.removeEventListener('abort', cancel),
    explain: (error) => (signal.aborted ? signal.reason : fromGrpc(error as ServiceError, requestId, url)),
  };
}

function unaryOnce<M extends Method>(
  call: Call,
  bound: Bound<M>,
  request: Message<M['requestType']>,
): Promise<Message<M['responseType']>> {
  const { method } = bound;
  return new Promise((resolve, reject) => {
    const begun = call.client.makeUnaryRequest(
      pathOf(bound),
      encoder(method),
      decoder(method),
      request,
      ...headers(call),
      (error, answer) => {
        followed.over();
        if (error) reject(followed.explain(error));
        else resolve(answer);
      },
    );
    const followed = follow(call, begun);
  });
}

async function* streamOnce<M extends Method>(
  call: Call,
  bound: Bound<M>,
  request: Message<M['requestType']>,
): AsyncGenerator<Message<M['responseType']>, void, undefined> {
  const { method } = bound;
  const { client } = call;
  const begun = client.makeServerStreamRequest(
    pathOf(bound),
    encoder(method),
    decoder(method),
    request,
    ...headers(call),
  );
  const followed = follow(call, begun);
  try {
    yield* begun;
  } catch (error) {
    throw followed.explain(error);
  } finally {
    followed.over();
    // What was under way may still end with the error of its end.
    begun.on('error', () => {});
    begun.cancel();
  }
}

/** Ends with the call, though `requests` may be silent then. */
async function uploadOnce<M extends Method>(
  call: Call,
  bound: Bound<M>,
  requests: AsyncIterable<Message<M['requestType']>>,
): Promise<Message<M['responseType']>> {
  const { method } = bound;
  let answered = false;
  let wake = () => {};
  let begun!: ReturnType<Client['makeClientStreamRequest']>;
  const answer = new Promise<Message<M['responseType']>>((resolve, reject) => {
    begun = call.client.makeClientStreamRequest(
      pathOf(bound),
      encoder(method),
      decoder(method),
      ...headers(call),
      (error, value) => {
        answered = true;
        followed.over();
        if (error) reject(followed.explain(error));
        else resolve(value);
        wake();
      },
    );
    const followed = follow(call, begun);
  });
  answer.catch(() => {});
  const untilAnswered = <T>(pending: Promise<T>): Promise<T | undefined> =>
    new Promise((resolve, reject) => {
      wake = () => resolve(undefined);
      pending.then(resolve, reject);
      if (answered) wake();
    });
  const source = requests[Symbol.asyncIterator]();
  try {
    while (!answered) {
      const next = await untilAnswered(source.next());
      if (!next || next.done) break;
      if (!begun.write(next.value)) await untilAnswered(new Promise((resolve) => begun.once('drain', resolve)));
    }
  } catch (error) {
    begun.cancel();
    throw error;
  } finally {
    // Not awaited: a source that is silent ends when it speaks again.
    source.return?.().catch(() => {});
  }
  begun.end();
  return answer;
}
