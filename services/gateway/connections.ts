import { LRUCache } from 'lru-cache';
import { createClient } from '#libs/grpc/client.ts';
import type { CallOptions, Definition } from '#libs/grpc/rpc.ts';
import type { TlsFiles } from '#libs/grpc/tls.ts';

const MAX_CONNECTIONS = 1_000;

/** What a method takes and answers with: the bytes of one message, or a stream of them. */
type Messages = Uint8Array | AsyncIterable<Uint8Array>;

/** The methods of some service. Messages stay the bytes that came: who owns them decodes them, once. */
export type ByteClient = Record<
  string,
  (request: Messages, options: CallOptions) => Promise<Uint8Array> & AsyncIterable<Uint8Array>
>;

export type Connections = {
  /** A client of one service at one address, whose certificate must bear `name`; it is kept for the next call. */
  to(name: string, address: string, service: Definition): ByteClient;
};

export function openConnections(tls: TlsFiles | undefined): Connections & Disposable {
  const clients = new LRUCache<string, ByteClient & Disposable>({
    max: MAX_CONNECTIONS,
    dispose: (client) => client[Symbol.dispose](),
  });
  return {
    to(name, address, service) {
      const key = `${name} ${address} ${service.fullName}`;
      let client = clients.get(key);
      if (!client) {
        client = createClient(inBytes(service), address, { name, tls }) as unknown as ByteClient & Disposable;
        clients.set(key, client);
      }
      return client;
    },
    [Symbol.dispose]: () => clients.clear(),
  };
}

const BYTES = {
  encode: (bytes: Uint8Array) => ({ finish: () => bytes }),
  decode: (bytes: Uint8Array) => bytes,
};

function inBytes({ fullName, methods }: Definition): Definition {
  const entries = Object.entries(methods);
  return {
    fullName,
    methods: Object.fromEntries(
      entries.map(([key, method]) => [key, { ...method, requestType: BYTES, responseType: BYTES }]),
    ),
  };
}
