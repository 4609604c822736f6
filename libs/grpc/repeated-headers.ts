import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/** Internals of grpc-js: it gives nobody the HTTP/2 servers that its calls come from. */
type Inside = { http2Servers: Map<Http2Server, unknown> };

const CREDENTIAL = 'authorization';

/**
 * Makes the metadata of calls hold every `authorization` header that a client sent. Node gives grpc-js the first alone, and
 * another part of the way may look at the last. Call it once the server listens or has its injector.
 */
export function keepRepeatedCredentials(server: Server): void {
  const http2Servers = [...(server as unknown as Inside).http2Servers.keys()];
  if (http2Servers.length === 0) throw new Error('grpc-js has no HTTP/2 server, or keeps it elsewhere');
  // Before grpc-js, which hears of the same stream and makes metadata of its headers.
  for (const http2Server of http2Servers) http2Server.prependListener('stream', restore);
}

function restore(_: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, rawHeaders: string[]): void {
  const values = rawHeaders.filter((_value, at) => at % 2 === 1 && rawHeaders[at - 1] === CREDENTIAL);
  if (values.length > 1) (headers as Record<string, string[]>)[CREDENTIAL] = values;
}
